//! Every claim of the repository's RFCs holds, or stands under Open Questions.

use std::{path::Path, process::Command};

#[test]
fn every_claim_holds_or_is_an_open_question() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim"))
        .current_dir(&root)
        .args(["rfc", "run", "rfcs/0001-simultaneous-tunnels.md", "--skip-tests", "--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let claims: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let open: Vec<_> = claims.iter().filter(|claim| claim["status"] != "holds").collect();
    assert!(claims.len() > 30 && open.iter().all(|claim| claim["id"].as_str().unwrap().starts_with('Q')), "{open:#?}");
}

//! What a person sees who has made a mistake: exit code 2, the place, and the nearest valid name.

use std::{fs, process::Command};

fn check(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.yaml");
    fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim")).arg("check").arg(&file).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).replace(&folder.path().display().to_string(), "");
    (output.status.code(), stderr)
}

#[test]
fn a_misspelt_key() {
    let (code, text) = check("network:\n  devises: { nyc1: { exchange: nyc } }\nsteps: []\n");
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:2:3") && text.contains("devices"), "{text}");
}

#[test]
fn an_unknown_device() {
    let (code, text) = check(
        "network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\nsteps:\n  - ping: { from: val1, to: nyc2 }\n",
    );
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:5:") && text.contains("nyc1"), "{text}");
}

#[test]
fn an_address_twice() {
    let (code, text) = check(
        "network:\n  clients:\n    a: { exchange: nyc, ip: 9.1.1.1 }\n    b: { exchange: nyc, ip: 9.1.1.1 }\nsteps: []\n",
    );
    assert_eq!(code, Some(2));
    assert!(text.contains("9.1.1.1") && text.contains("case.yaml:4:"), "{text}");
}

#[test]
fn a_folder_without_scenarios() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim")).arg("check").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no scenario files"));
}

#[test]
fn a_misspelt_verb() {
    let network = "network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\n";
    let (code, text) = check(&format!("# Why.\n{network}steps:\n  - run: doublezero conect ibrl\n"));
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:6:21") && text.contains("did you mean `connect`?"), "{text}");
    let (code, text) = check(&format!("# Why.\n{network}steps:\n  - run: doublezero connect ibrl --devise nyc1\n"));
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:6:34") && text.contains("--device"), "{text}");
    // A scenario may show what becomes of it.
    let (code, text) = check(&format!("# Why.\n{network}steps:\n  - run: doublezero conect ibrl\n    exit: 2\n"));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_file_that_does_not_say_what_it_proves() {
    let (code, text) = check("network:\n  devices: { nyc1: { exchange: nyc } }\n");
    assert_eq!(code, Some(2));
    assert!(text.contains("case.yaml:1:1") && text.contains("comment"), "{text}");
}

//! The generated files under docs/ are up to date.
//!
//! `UPDATE_DOCS=1 cargo test -p dzsim-scenario docs` writes it again.

use std::{fs, path::Path};

fn is_current(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == text, "docs/{name} is not what the types say; UPDATE_DOCS=1 writes it again");
}

#[test]
fn the_json_schema_is_current() {
    is_current("scenario.schema.json", &format!("{:#}\n", dzsim_scenario::json_schema()));
}

#[test]
fn the_reference_is_current() {
    is_current("scenarios.md", &dzsim_scenario::reference());
}

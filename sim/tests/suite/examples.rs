//! The programs in `sim/examples` run, and print what is kept here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// An example, which cargo builds along with the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let example = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(example.exists(), "{} is not built: run cargo test without --test", example.display());
    example
}

#[test]
fn each_prints_what_it_is_to_print() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() >= 3, "{names:?}");
    let mut text = String::new();
    for name in names {
        let output = Command::new(example(&name)).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {}\n{out}{err}", output.status);
        text.push_str(&format!("$ {name}\n{out}"));
    }
    insta::with_settings!({ snapshot_path => "../../../snapshots/terminal", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("examples", text);
    });
}

//! Every scenario file is a test: `dzsim run` must pass it, and its snapshots must be those under `snapshots/`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rstest::rstest;

#[rstest]
fn scenario(
    #[base_dir = "../scenarios"]
    #[files("**/*.yaml")]
    file: PathBuf,
) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let name = file.strip_prefix(root.join("scenarios").canonicalize().unwrap()).unwrap().with_extension("");
    let artifacts =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios").join(name.to_string_lossy().replace('/', "-"));
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim"))
        .arg("run")
        .arg(&file)
        .arg("--artifacts")
        .arg(&artifacts)
        .arg("--record-snapshots")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}\n{}", text(&output.stdout), text(&output.stderr));
    compare(&artifacts, &artifacts, &root);
}

/// Compares every recorded snapshot below a folder; a case's folder is its name below the root of the artifacts.
fn compare(folder: &Path, artifacts: &Path, root: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            compare(&path, artifacts, root);
        } else if path.extension().is_some_and(|extension| extension == "snap") {
            let case = path.parent().and_then(Path::parent).unwrap().strip_prefix(artifacts).unwrap();
            let topic = case.parent().unwrap();
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(root.join("snapshots/scenarios").join(topic));
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            settings.bind(|| insta::assert_snapshot!(name, fs::read_to_string(&path).unwrap()));
        }
    }
}

//! Every scenario file is a test of its own name in each of the two worlds, virtual first: `dzsim run` must pass it, and
//! its snapshots must be those under `snapshots/`, the same for both. `cargo test --test scenarios termination/` runs one
//! topic, `cargo test --test scenarios virtual/` one world.
//!
//! The files are looked up when the tests run, so a new file is a test at once. As many run at a time as there are
//! processors, unless `--test-threads` or `RUST_TEST_THREADS` says otherwise.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use dzsim::{run::world::Kind, scenario_files};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if arguments.test_threads.is_none() {
        arguments.test_threads = env::var("RUST_TEST_THREADS").ok().and_then(|number| number.parse().ok());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the simulator is a folder of the project");
    let scenarios = root.join("scenarios");
    let files = files_below(&scenarios, "yaml").expect("scenarios/ can be read");
    assert!(!files.is_empty(), "no scenario below {}", scenarios.display());
    let cases = scenario_files::load(&files, &[]).expect("every scenario is valid");
    let trials = [Kind::Virtual, Kind::Real].into_iter().flat_map(|world| {
        // A file that says that only the other world can show what it is about.
        let elsewhere = |file: &Path| {
            cases
                .iter()
                .any(|(of, case)| of == file && case.only_in.as_ref().is_some_and(|it| world != it.world.into()))
        };
        let here: Vec<_> = files.iter().filter(|file| !elsewhere(file)).cloned().collect();
        here.into_iter().map(move |file| (world, file))
    });
    let trials = trials.map(|(world, file)| {
        let name = file.strip_prefix(&scenarios).expect("it is below that folder").with_extension("");
        Trial::test(format!("{world}/{}", name.display()), move || passes(root, world, &file, &name))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn passes(root: &Path, world: Kind, file: &Path, name: &Path) -> Result<(), Failed> {
    let folder = format!("{world}-{}", name.display()).replace('/', "-");
    let artifacts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios").join(folder);
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim"))
        .arg("run")
        .arg(file)
        .args(["--world", &world.to_string()])
        // The tests run side by side; the cases of a matrix need not.
        .args(["--jobs", "1"])
        .arg("--artifacts")
        .arg(&artifacts)
        .arg("--record-snapshots")
        .output()?;
    if output.status.code() != Some(0) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        return Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)).into());
    }
    files_below(&artifacts, "snap")?.iter().for_each(|snapshot| compare(root, &artifacts, snapshot));
    Ok(())
}

/// Compares a snapshot that the run has recorded with the one kept of it. A case's folder is its name below the root of
/// the artifacts, and its snapshots are in a folder of that.
fn compare(root: &Path, artifacts: &Path, snapshot: &Path) {
    let case = snapshot.parent().and_then(Path::parent).expect("a snapshot is in a case's folder");
    let topic = case.strip_prefix(artifacts).ok().and_then(Path::parent).expect("a case is in a topic");
    let name = snapshot.file_stem().expect("it has a name").to_string_lossy().into_owned();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root.join("snapshots/scenarios").join(topic));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, fs::read_to_string(snapshot).expect("it was just written")));
}

/// Every file with this extension below a folder, by name.
fn files_below(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(files_below(&path, extension)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(files)
}

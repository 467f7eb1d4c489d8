//! Messages of `dzsim` where a scenario and a world do not fit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use dzsim::scenario_files;

const ONLY_REAL: &str = "only_in: { world: real, because: a kernel has bugs that a model does not }\n\
                         network: { clients: { val1: { exchange: nyc } } }\nsteps: []\n";

fn dzsim(verb: &str, text: &str) -> (Output, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("case.yaml");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dzsim"));
    command.arg(verb).arg(&file).args(["--world", "virtual", "--artifacts"]).arg(folder.path().join("artifacts"));
    (command.output().unwrap(), folder)
}

#[test]
fn a_case_of_the_other_world_says_why_it_cannot_run() {
    let (output, _folder) = dzsim("run", ONLY_REAL);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("it can be run in the real world only"), "{text}");
    assert!(text.contains("a kernel has bugs that a model does not"), "{text}");
    assert!(text.contains("0 passed, 0 failed, 1 cannot run"), "{text}");
}

#[test]
fn a_network_in_virtual_time_cannot_be_held() {
    let (output, _folder) = dzsim("up", "network: { clients: { val1: { exchange: nyc } } }\nsteps: []\n");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("cannot be held"), "{text}");
}

#[test]
fn few_scenarios_are_of_one_world_only() {
    let scenarios: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let all = scenario_files::load(&scenario_files::find(&[scenarios]).unwrap(), &[]).unwrap();
    let single: Vec<_> = all.iter().filter(|(_, case)| case.only_in.is_some()).map(|(file, _)| file).collect();
    assert!(single.len() <= 8 && all.len() > 100, "{single:?}");
}

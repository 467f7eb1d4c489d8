//! A run that the machine keeps waiting says so, and nothing about the network.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use dzsim::answer::bench::process_tree::descendants;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Steps that take a while, each of which holds.
const SCENARIO: &str = "\
network:
  devices: { nyc1: { exchange: nyc } }
  clients: { val1: { exchange: nyc } }
steps:
  - { run: doublezero connect ibrl, on: val1 }
  - for_each: { n: 1..20 }
    do: [{ ping: { from: val1, to: nyc1, via: doublezero0 } }]
";

/// Longer than a tunnel's probe waits for its answer, which is what this scenario bears.
const STOPPED: Duration = Duration::from_secs(2);

#[test]
fn a_run_that_was_stopped_has_neither_passed_nor_failed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("starved.yaml"), SCENARIO).unwrap();
    let mut run = Command::new(env!("CARGO_BIN_EXE_dzsim"))
        .args(["run", "starved.yaml"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while !said.last().is_some_and(|line: &String| line.contains("network up")) {
        said.push(lines.next().unwrap_or_else(|| panic!("the end of the run after {said:#?}")).unwrap());
    }
    // Fabric, ledger and steps are one process, pid 1 of the lab: the last of those that are called `scenario`.
    let scenario = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).nth(1) == Some(b"scenario")
    };
    let process = descendants(run.id()).into_iter().rfind(scenario).expect("the process of the scenario");
    let process = Pid::from_raw(process.try_into().unwrap());
    kill(process, Signal::SIGSTOP).unwrap();
    thread::sleep(STOPPED);
    kill(process, Signal::SIGCONT).unwrap();
    said.extend(lines.map(Result::unwrap));
    let said = said.join("\n");
    assert_eq!(run.wait().unwrap().code(), Some(3), "{said}");
    assert!(said.contains("too slow") && said.contains("the process of the scenario was late by"), "{said}");
    assert!(said.contains("0 passed, 0 failed, 1 too slow to say"), "{said}");
}

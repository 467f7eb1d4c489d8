//! `dzsim ledger` as its users start and stop it.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rstest::rstest;

/// Starts a ledger and returns when it says that it is ready, with what it said.
fn ready(temporary: &std::path::Path) -> (Child, Vec<String>) {
    let mut ledger = Command::new(env!("CARGO_BIN_EXE_dzsim"))
        .args(["ledger", "--rpc", "127.0.0.1:0"])
        .env("TMPDIR", temporary)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(ledger.stdout.take().unwrap()).lines() {
        said.push(line.unwrap());
        if said.last().is_some_and(|line| line.starts_with("ready")) {
            return (ledger, said);
        }
    }
    panic!("it ended with {:?} after {said:#?}", ledger.wait());
}

#[rstest]
#[case(Signal::SIGTERM)]
#[case(Signal::SIGKILL)]
fn the_folder_for_temporary_files_is_empty_however_it_ends(#[case] signal: Signal) {
    let temporary = tempfile::tempdir().unwrap();
    let entries = || fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let (mut ledger, _) = ready(temporary.path());
    assert_eq!(entries().len(), 1, "{:?}", entries());
    kill(Pid::from_raw(ledger.id().try_into().unwrap()), signal).unwrap();
    ledger.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !entries().is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", entries());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn keys_of_a_seed_are_marked_as_known_to_everybody() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut ledger, said) = ready(temporary.path());
    ledger.kill().unwrap();
    ledger.wait().unwrap();
    let first = said.iter().position(|line| line.starts_with("key ")).expect("a key");
    assert!(said[first - 1].contains("keys of seed 1: everybody can make them"), "{said:#?}");
}

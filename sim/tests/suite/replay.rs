//! A failed run leaves a capsule, and its replay is the run again.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use crate::support::{Ended, Place};

/// Two steps that hold, one that does not, and one that is never run.
const FAILING: &str = "# The third step fails.\n\
    network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\n\
    steps:\n  - run: doublezero connect ibrl\n    on: val1\n  - ping: { from: val1, to: nyc1, via: doublezero0 }\n\
    \x20 - run: doublezero status\n    on: val1\n    exit: 5\n  - run: doublezero disconnect\n    on: val1\n";

/// A place in which that has failed, in virtual time.
fn failed() -> Place {
    let place = Place::new();
    place.file("topic/failing.yaml", FAILING);
    place.run(&["run", "topic", "--world", "virtual", "--seed", "7"]).code(1);
    place
}

const CAPSULE: &str = "artifacts/topic/failing/capsule.tar.zst";

/// Replays with this on standard input.
fn replay(place: &Place, args: &[&str], words: &str) -> Ended {
    let mut command: Command = place.dzsim(&[&["replay", CAPSULE], args].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
    Ended::of(child.wait_with_output().unwrap())
}

#[test]
fn a_replay_in_virtual_time_is_the_same_to_the_byte() {
    let place = failed();
    // Somewhere else, without anything but the capsule.
    let before = fs::read(place.path("artifacts/topic/failing/events.jsonl")).unwrap();
    fs::remove_dir_all(place.path("topic")).unwrap();
    let ended = replay(&place, &["--out", "again"], "go\n").code(0);
    assert!(ended.out.contains("it failed in step 3"), "{}", ended.out);
    let after = fs::read(place.path("again/replay/topic/failing/events.jsonl")).unwrap();
    assert_eq!(String::from_utf8_lossy(&before), String::from_utf8_lossy(&after));
    let count = before.iter().filter(|byte| **byte == b'\n').count();
    assert!(ended.out.contains(&format!("{count} events, each the same as in the capsule")), "{}", ended.out);
}

#[test]
fn a_scenario_that_was_named_without_its_folder_is_replayed() {
    let place = Place::new();
    place.file("topic/failing.yaml", FAILING);
    let mut run = place.dzsim(&["run", "failing.yaml", "--world", "virtual", "--artifacts", "../artifacts"]);
    Ended::of(run.current_dir(place.path("topic")).output().unwrap()).code(1);
    let ended = replay(&place, &[], "exit\n").code(0);
    assert!(ended.out.contains("stopped before step 3"), "{}", ended.out);
}

#[test]
fn a_replay_stops_before_the_failure_and_answers() {
    let place = failed();
    let ended = replay(&place, &[], "doublezero status\non nowhere\non nyc1\nwhat\nexit\n").code(0);
    for part in
        ["it failed in step 3", "1  ", "2  ", "doublezero0", "no node nowhere", "on NODE", "stopped before step 3"]
    {
        assert!(ended.out.contains(part), "{part} is not in:\n{}", ended.out);
    }
    assert!(!ended.out.contains("\n3  "), "{}", ended.out);
    // Nothing is asked of a world that stands still, so what came before is the same.
    let ended = replay(&place, &[], "").code(0);
    assert!(ended.out.contains("each the same as in the capsule"), "{}", ended.out);
    assert!(ended.out.contains("to go on from here, at a terminal: dzsim replay"), "{}", ended.out);
    // Another step, and then one at a time.
    let ended = replay(&place, &["--at", "2"], "next\n").code(0);
    assert!(ended.out.contains("stopped before step 3"), "{}", ended.out);
}

#[test]
fn a_replay_can_stop_at_every_event() {
    let place = failed();
    let ended = replay(&place, &["--step", "--at", "2"], "").code(0);
    let events = fs::read_to_string(place.path("artifacts/topic/failing/events.jsonl")).unwrap();
    let shown = ended.out.lines().filter(|line| line.contains(" s  ")).count();
    let first = events.lines().take_while(|line| !line.contains("\"number\":2")).count();
    assert!(shown >= first.saturating_sub(3), "{shown} of {first} events:\n{}", ended.out);
    assert!(ended.out.contains("val1.doublezerod  "), "the logs are heard, too: {}", ended.out);
}

#[test]
fn what_is_no_capsule_is_the_callers_error() {
    let place = Place::new();
    place.file("artifacts/topic/failing/capsule.tar.zst", "a text");
    let ended = replay(&place, &[], "").code(2);
    assert!(
        ended.err.starts_with("error: artifacts/topic/failing/capsule.tar.zst: expected a capsule"),
        "{}",
        ended.err
    );
}

#[test]
fn a_replay_in_the_real_world_stops_before_the_failure() {
    let place = Place::new();
    place.file("topic/failing.yaml", FAILING);
    place.run(&["run", "topic"]).code(1);
    let ended = replay(&place, &[], "").code(0);
    assert!(ended.out.contains("stopped before step 3"), "{}", ended.out);
    let refused = replay(&place, &["--step"], "").code(2);
    assert!(refused.err.contains("--step goes one event at a time in virtual time"), "{}", refused.err);
}

//! Bugs that are put in on purpose are found by the oracle, in few steps. The nightly workflow looks for them by exploring from seeds
//! that nobody knows (`ci/bugs.sh`).

use std::fs;

use rstest::rstest;

use crate::support::Place;

/// A device, two clients, and these steps.
fn scenario(steps: &[&str]) -> String {
    let network = "network:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc }, val2: { exchange: nyc } }\n";
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    format!("# A bug shows.\n{network}steps:\n{steps}")
}

const FIRST: &str = "{ run: doublezero connect ibrl, on: val1, exit: any }";
const SECOND: &str = "{ run: doublezero connect ibrl, on: val2, exit: any }";
const END: &str = "{ run: doublezero disconnect, on: val1, exit: any }";
const ENABLE: &str = "{ run: doublezero enable, on: val1 }";
/// Does not wait for a tunnel that will never be up.
const CREATE: &str =
    "{ run: doublezero user create --client-ip val1.client_ip --endpoint nyc1.endpoints.0 --type IBRL, on: val1 }";
const OUTAGE: &str = "fault: { ledger: outage, on: val1 }";

#[rstest]
#[case("leaked-unit", &[FIRST, END], "the chain agrees with a recount of itself")]
#[case("swapped-name", &[FIRST], "val1")]
#[case("missing-reread", &[OUTAGE, SECOND, "heal: all"], "val1.daemon has not settled")]
#[case("stale-rule", &[FIRST, END], "no rule without its interface")]
#[case("double-grant", &[FIRST, SECOND], "the chain agrees with a recount of itself")]
#[case("wrong-id", &[FIRST], "tunnel id 501")]
#[case("misplaced-address", &[ENABLE, CREATE], "kernel of nyc1: the tunnel's interface does not have it")]
#[case("misplaced-address", &[ENABLE, CREATE], "kernel of val1: the tunnel's interface does not have it")]
#[case("lost-route", &[FIRST, SECOND], "it leads to 9.128.0.2/32\n    kernel of val1: no route by doublezero0")]
#[case("lost-table", &[FIRST], "a device has the routes of its configuration: table 1 of nyc1")]
#[case("lost-uplink", &[ENABLE, CREATE], "every node has a way to the internet")]
#[case("wrong-end", &[ENABLE, CREATE], "the wire carries only tunnels that the chain knows")]
fn each_is_found(#[case] bug: &str, #[case] steps: &[&str], #[case] by: &str) {
    let place = Place::new();
    place.file("topic/bug.yaml", &scenario(steps));
    let found = place.run(&["run", "topic", "--world", "virtual", "--bug", bug]).code(1);
    assert!(found.out.contains(by), "{by} is not in:\n{}", found.out);
    place.run(&["run", "topic", "--world", "virtual"]).code(0);
}

#[test]
fn a_dead_bank_ends_the_scenario_at_once_with_its_reason() {
    let place = Place::new();
    // Whoever went on waiting for this ledger would wait for an hour.
    let steps = ["{ run: doublezero connect ibrl, on: val1, within: 1h }"];
    place.file("topic/bug.yaml", &scenario(&steps));
    let found = place.run(&["run", "topic", "--bug", "dead-bank"]).code(1);
    let why = "the ledger is dead: the bank's thread panicked: it was asked to";
    assert!(found.out.contains(why), "{why} is not in:\n{}", found.out);
    assert!(found.out.contains("at step 1 of 1: val1: doublezero connect ibrl"), "{}", found.out);
}

#[test]
fn exploring_leaves_a_scenario_that_fails_by_the_bug_alone() {
    let place = Place::new();
    // Which history connects somebody first depends on what is drawn.
    let ended = place.run(&["explore", "--bug", "swapped-name", "--histories", "200", "--length", "4"]).code(1);
    assert!(ended.out.contains("fails: "), "{}", ended.out);
    let file = fs::read_dir(place.path("explored")).unwrap().next().unwrap().unwrap().path();
    let comment = fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned();
    let (seed, failure) = comment.strip_prefix("# Found by exploring (seed ").unwrap().split_once("): ").unwrap();
    let failure = failure.trim_end_matches('.');
    // The first seed is 1.
    assert!(
        ended.out.starts_with(&format!("history {seed} of 4 steps fails: {failure}\n")),
        "{comment}\n{}",
        ended.out
    );
    let file = file.to_str().unwrap();
    let again = place.run(&["run", file, "--world", "virtual", "--bug", "swapped-name"]).code(1);
    assert!(again.out.contains(failure), "{failure} is not in:\n{}", again.out);
    place.run(&["run", file, "--world", "virtual"]).code(0);
}

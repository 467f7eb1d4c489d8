//! Scenarios that must fail, and what their reports say: a harness is worth what its failures are worth.

use rstest::rstest;

use crate::support::Place;

/// One device, one client.
const SMALL: &str =
    "# It fails.\nnetwork:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { val1: { exchange: nyc } }\n";
/// A publisher and a subscriber, both connected.
const GROUP: &str = "# It fails.\nnetwork:\n  devices: { nyc1: { exchange: nyc } }\n  clients: { pub1: { exchange: nyc }, val1: { exchange: nyc } }\n  \
    groups: { mg01: { publishers: pub1, subscribers: val1 } }\ntimeouts: { step: 4s }\nsteps:\n  \
    - { run: doublezero connect multicast, on: val1 }\n  - { run: doublezero connect multicast, on: pub1 }\n";
/// Two clients of two devices with a link between them, connected.
const BACKBONE: &str = "# It fails.\nnetwork:\n  devices: { nyc1: { exchange: nyc }, lon1: { exchange: lon } }\n  \
    clients: { nyc-host: { exchange: nyc }, lon-host: { exchange: lon } }\n  links: { nyc1-lon1: {} }\nsteps:\n  \
    - for_each: { client: [nyc-host, lon-host] }\n    do: [{ run: doublezero connect ibrl --allocate-addr, on: $client }]\n";

#[rstest]
// Probes of sessions and links are not the scenario's traffic.
#[case::no_step_sends_a_packet(
    BACKBONE,
    "  - { run: doublezero status, on: nyc-host }\n  - expect_traffic: { link: nyc1-lon1, packets: \">= 6\" }\n",
    &["expect traffic >= 6 packets over nyc1-lon1", "0 packets were carried"]
)]
// A command that hangs says what for, and what is not there that it waits for.
#[case::a_command_hangs(
    SMALL,
    "steps:\n  - fault: { process: activator }\n  - run: doublezero connect ibrl\n",
    &["the command gave up after 14.5s", "passed while waiting for", "the activator", "at that time: activator is down by a fault"]
)]
// The innermost step that can explain ends first, whatever the deadlines around it.
#[case::an_inner_step(
    SMALL,
    "steps:\n  - { run: doublezero connect ibrl }\n  - ping: { from: val1, to: nyc1, via: doublezero0 }\n    within: 3s\n    while:\n      \
     - { run: doublezero user list, on: operator }\n      - expect: { nyc1.endpoints.count: 7 }\n",
    &["line 11: expect nyc1.endpoints.count", "expected 7, found 2"]
)]
#[case::datagrams_are_lost(
    GROUP,
    "  - fault: { path: { from: nyc1, to: val1, one_way: true }, loss: 50% }\n  \
     - send: { from: pub1, to: mg01, count: 20, received_by: val1 }\n",
    &[" of 20 datagrams", "the first that is missing is number", "path nyc1 -> val1 is faulty"]
)]
// The first of the two allows for what the path does.
#[case::datagrams_come_twice(
    GROUP,
    "  - fault: { path: { from: nyc1, to: val1, one_way: true }, duplicate: 50% }\n  \
     - send: { from: pub1, to: mg01, count: 20, received_by: val1, duplicates: allowed }\n  \
     - send: { from: pub1, to: mg01, count: 20, received_by: val1 }\n",
    &["at step 5 of 5", " datagrams twice", "path nyc1 -> val1 is faulty"]
)]
#[case::the_network_does_not_come_up(
    SMALL,
    "timeouts: { bring_up: 1ms }\nsteps:\n  - run: doublezero status\n",
    &["the network does not come up: it was not up after 1ms, with genesis under way"]
)]
#[case::a_fault_hits_nothing(
    SMALL,
    "steps:\n  - fault: { ledger: refused_sends, on: activator }\n  - run: doublezero status\n  - heal: all\n",
    &["the fault `ledger refused sends activator` of line 6 has hit nothing"]
)]
#[case::a_fault_hits_nothing_and_is_not_healed(
    SMALL,
    "steps:\n  - fault: { ledger: refused_sends, on: activator }\n  - run: doublezero status\n",
    &["the faults at the end", "of line 6 has hit nothing"]
)]
#[case::a_fault_hits_too_little(
    SMALL,
    "steps:\n  - fault: { process: activator }\n  - { heal: all, hits: 2 }\n",
    &["the fault has hit 1", "= 2 packets, notifications, reads or sends"]
)]
#[case::nothing_is_broken(
    SMALL,
    "steps:\n  - run: doublezero status\n  - heal: all\n",
    &["nothing is broken that `heal all` would mend"]
)]
#[case::both_succeed(
    SMALL,
    "steps:\n  - parallel: [{ run: doublezero status }, { run: doublezero latency }]\n    succeed: 1\n",
    &["2 of 2 succeeded", "none failed"]
)]
#[case::probes_are_no_flow(
    SMALL,
    "steps:\n  - run: doublezero connect ibrl\n  - ping: { from: val1, to: nyc1, via: doublezero0, flow: mine }\n  \
     - expect_traffic: { flow: mine, gre_to: val1, packets: \">= 100\" }\n    within: 2s\n",
    &["packets were carried", ">= 100 packets"]
)]
fn it_fails_and_says_why(#[case] network: &str, #[case] steps: &str, #[case] says: &[&str]) {
    let place = Place::new();
    place.file("topic/case.yaml", &format!("{network}{steps}"));
    let ended = place.run(&["run", "topic", "--world", "virtual"]).code(1);
    for part in says {
        assert!(ended.out.contains(part), "{part} is not in:\n{}", ended.out);
    }
}

#[rstest]
#[case::idle_is_allowed(
    "  - { fault: { ledger: refused_sends, on: activator }, idle: allowed }\n  - run: doublezero status\n"
)]
#[case::probes_are_asked_for("  - run: doublezero connect ibrl\n  - expect_traffic: { gre_to: val1, probes: true }\n")]
fn what_is_allowed_passes(#[case] steps: &str) {
    let place = Place::new();
    place.file("topic/case.yaml", &format!("{SMALL}steps:\n{steps}"));
    place.run(&["run", "topic", "--world", "virtual"]).code(0);
}

#[test]
fn a_step_that_nothing_misses_is_found() {
    let place = Place::new();
    let steps =
        "steps:\n  - run: doublezero connect ibrl\n  - run: doublezero disconnect\n  - expect: { val1.tunnels: [] }\n";
    place.file("topic/case.yaml", &format!("{SMALL}{steps}"));
    let ended = place.run(&["evidence", "topic"]).code(1);
    assert!(
        ended.out.contains("topic/case.yaml:6:5: it passes without `val1: doublezero connect ibrl`"),
        "{}",
        ended.out
    );
    assert!(ended.out.ends_with("2 steps left out, 1 of them not missed\n"), "{}", ended.out);
    place.file("allowed", "topic/case.yaml:6:5 the scenario is about leaving\n");
    place.run(&["evidence", "topic", "--allow", "allowed"]).code(0);
    place.file("allowed", "topic/case.yaml:6:5 the scenario is about leaving\ntopic/case.yaml:7:5 why not\n");
    let ended = place.run(&["evidence", "topic", "--allow", "allowed"]).code(1);
    assert!(
        ended.out.contains("topic/case.yaml:7:5: it is in the list, but nothing passes without it"),
        "{}",
        ended.out
    );
}

#[test]
fn a_program_is_seen_from_the_files_folder_and_needs_the_real_world() {
    let place = Place::new();
    let script = place.file("topic/check.sh", "#!/bin/sh\necho \"$1 is here\"\n");
    std::fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.file("topic/case.yaml", &format!("{SMALL}steps:\n  - {{ run: ./check.sh val1, stdout: val1 is here }}\n"));
    place.run(&["run", "topic/case.yaml"]).code(0);
    let ended = place.run(&["run", "topic/case.yaml", "--world", "virtual"]).code(3);
    assert!(ended.out.contains("it runs ./check.sh, and the virtual world has no processes"), "{}", ended.out);
}

//! Each kind of mistake in a file, and the message to its author.

use rstest::rstest;

use crate::read;

#[rstest]
#[case::misspelt_key(
    "misspelt-key",
    r#"
network:
  devices:
    nyc1: { exchange: nyc, prefx: 45.33.100.0/29 }
"#
)]
#[case::misspelt_step(
    "misspelt-step",
    r#"
network: { exchanges: { nyc: {} }, clients: { val1: {} } }
steps:
  - runs: doublezero connect ibrl
    on: val1
"#
)]
#[case::only_in_without_a_reason(
    "only-in-without-a-reason",
    r#"
only_in: { world: real, because: " " }
network: { exchanges: { nyc: {} } }
"#
)]
#[case::two_kinds_of_step(
    "two-kinds-of-step",
    r#"
network: { exchanges: { nyc: {} }, clients: { val1: {} } }
steps:
  - run: doublezero status
    heal: all
"#
)]
#[case::faults_that_cannot_be(
    "faults-that-cannot-be",
    r#"
network:
  exchanges: { nyc: {} }
  nats: { home: {} }
  clients: { val1: {}, val2: {}, hid1: { nat: home } }
steps:
  - fault: { ledger: lost_slots, on: val1, share: 10% }
  - fault: { ledger: lost_slots, slots: 0 }
  - heal: { ledger: lost_slots }
  - fault: { client: val1, public_ip: 10.0.0.1 }
  - fault: { client: val1, public_ip: val2.client_ip }
  - fault: { client: val1, public_ip: 9.128.0.2 }
  - fault: { client: hid1, public_ip: 9.200.0.1 }
  - fault: { clock: operator, by: 1h }
"#
)]
#[case::words_that_are_never_there(
    "words-that-are-never-there",
    r#"
network: { exchanges: { nyc: {} }, devices: { nyc1: {} }, clients: { val1: {} } }
steps:
  - { run: doublezero device drain nyc9, on: operator }
  - { run: doublezero device drain nyc9, on: operator, exit: 4 }
  - expect:
      val1.tunnels: [{ session: upp }]
      chain.users: [{ status: { not: activeted } }]
      chain.devices.nyc1.status: drainde
"#
)]
#[case::unknown_device(
    "unknown-device",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {} }
  clients: { val1: {} }
steps:
  - run: doublezero connect ibrl --device nyc2
  - ping: { from: val1, to: nyk1 }
  - expect: { nyc3.endpoints: [], val1.tunnels: [{ endpoint: nyc4.endpoints.0 }] }
  - expect_traffic: { gre_to: nyc5.endpoints.1 }
  - fault: { node: nyc6 }
"#
)]
#[case::unknown_exchange(
    "unknown-exchange",
    r#"
network:
  devices: { nyc1: { exchange: nyk } }
  clients: { val1: { exchange: ams1 } }
"#
)]
#[case::unknown_metro_without_place(
    "unknown-metro-without-place",
    r#"
network:
  exchanges: { zzz: {}, yyy: { lat: 1 }, xxx: { lat: 91, lng: -181 } }
"#
)]
#[case::unknown_client(
    "unknown-client",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {} }
  clients: { val1: {}, val2: {} }
  groups: { mg01: { subscribers: [val1, vla2] } }
  tenants: { red: { clients: valx } }
steps:
  - run: doublezero status
    on: va1
"#
)]
#[case::unknown_group_link_process_view(
    "unknown-group-link-process-view",
    r#"
network:
  exchanges: { nyc: {}, pit: {} }
  devices: { nyc1: { exchange: nyc }, pit1: { exchange: pit } }
  clients: { val1: { exchange: nyc } }
  groups: { mg01: { subscribers: all } }
  links: { nyc1-pit1: {} }
steps:
  - run: doublezero connect multicast --subscribe mg01,mg02
  - join: mg03
  - fault: { link: nyc1-pit2 }
  - fault: { process: val1.deamon }
  - fault: { process: val9.daemon }
  - expect: { val1.tunnel: [], chain.user: [], val1: 1 }
"#
)]
#[case::address_twice(
    "address-twice",
    r#"
network:
  exchanges: { nyc: {} }
  devices:
    nyc1: { public_ip: 9.1.2.3, prefix: 9.2.0.0/28 }
    nyc2: { public_ip: 9.1.2.4, prefix: 9.2.0.8/29, endpoints: [9.1.2.3] }
  clients:
    val1: { ip: 9.1.2.4 }
    val2: { ip: 148.51.128.7 }
"#
)]
#[case::address_not_public(
    "address-not-public",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: { prefix: 203.0.113.0/29 } }
  clients: { val1: { ip: 10.0.0.1 }, val2: { ip: 9.1.2 }, val3: { ip: 9.1.2.3/32 } }
"#
)]
#[case::bad_network(
    "bad-network",
    r#"
network:
  exchanges: { nyc: {} }
  devices:
    a: { prefix: 9.2.0.3/29 }
    b: { prefix: 9.2.0.0 }
    c: { prefix: 9.2.0.0/33 }
    d: { prefix: 9.3.0.0/30 }
    e: { carve: 23 }
    f: { carve: 28, prefix: 9.4.0.0/29 }
    g: { pull: 8 }
    h: { endpoints: [9.5.0.1], pull: 1 }
    i: { endpoints: [{ interface: Ethernet0, address: 9.5.0.2 }, { interface: lo150, address: 9.5.0.3 }] }
    j: { endpoints: [{ interface: Ethernet1, address: 9.5.0.4 }, { interface: Ethernet1, address: 9.5.0.5 }] }
  links: { e-f: { mtu: 1000 }, e-g: { delay: 2s }, e-e: {} }
"#
)]
#[case::impossible_duration(
    "impossible-duration",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {} }
  clients: { val1: {} }
  paths:
    - { from: val1, to: nyc1, rtt: 20 parsecs }
    - { from: val1, to: nyc1, delay: -5ms }
    - { from: val1, to: nyc1, delay: 5 }
    - { from: val1, to: nyc1, delay: soon }
timeouts: { step: 0s }
steps:
  - expect: { val1.tunnels: [] }
    within: 0ms
  - expect: { val1.latency: [{ min_latency_ns: "< 5 weeks" }] }
"#
)]
#[case::bad_quantities(
    "bad-quantities",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {} }
  clients: { val1: {} }
  paths:
    - { from: val1, to: nyc1, loss: 120% }
    - { from: val1, to: nyc1, loss: 0.5 }
    - { from: val1, to: nyc1, rate: 10 gallons }
    - { from: val1, to: nyc1, mtu: 100 }
    - { from: val1, to: nyc1 }
    - { from: val1, to: nyc1.endpoints.0, blocked: true }
    - { from: 9.1.2.3, to: nyc1, blocked: true }
policy: { loopbacks: 199..100, endpoints_per_device: 0, minimum_prefix: 30 }
steps:
  - ping: { from: val1, to: nyc1, count: 0, received: many, via: dz0 }
"#
)]
#[case::duplicate_key(
    "duplicate-key",
    r#"
network:
  exchanges: { nyc: {} }
  devices:
    nyc1: { exchange: nyc }
    nyc1: { exchange: nyc }
  clients: { val1: { exchange: nyc, exchange: pit } }
"#
)]
#[case::wrong_type(
    "wrong-type",
    r#"
network:
  exchanges: { nyc: {} }
  devices: [nyc1]
  clients: { val1: { pass: maybe, count: many }, val2: 5 }
seed: -1
steps:
  - run: { doublezero: connect }
  - run: doublezero status
    exit: 256
"#
)]
#[case::missing_key(
    "missing-key",
    r#"
network:
  devices: { nyc1: {} }
  contributors: { co1: {}, co2: {} }
  clients: { val1: { exchange: nyc }, val2: { exchange: nyc } }
  links: { backbone: {} }
steps:
  - ping: { from: val1 }
  - run: doublezero status
"#
)]
#[case::empty_file("empty-file", r#""#)]
#[case::only_a_comment(
    "only-a-comment",
    r#"# nothing
"#
)]
#[case::not_yaml(
    "not-yaml",
    r#"
network:
  devices: { nyc1: { exchange: nyc }
steps: []
"#
)]
#[case::tab(
    "tab",
    r#"network:
	devices: {}
"#
)]
#[case::anchor(
    "anchor",
    r#"
network:
  devices: { nyc1: &x { exchange: nyc }, nyc2: *x }
"#
)]
#[case::two_documents(
    "two-documents",
    r#"
network: {}
---
network: {}
"#
)]
#[case::bad_name(
    "bad-name",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { NYC1: {}, chain: {} }
  clients: { val1: {}, NYC1: {} }
  groups: { val1: {} }
"#
)]
#[case::bad_command(
    "bad-command",
    r#"
network: { exchanges: { nyc: {} }, clients: { val1: {} } }
steps:
  - run: doublzero connect
  - run: ip link
  - run: ""
  - run: doublezero 'connect
"#
)]
#[case::bad_matrix(
    "bad-matrix",
    r#"
matrix: { Size: [1], tolerance: [], n: 9..1 }
network: {}
"#
)]
#[case::bad_variables(
    "bad-variables",
    r#"
network: { exchanges: { nyc: {} }, clients: { val1: {} } }
steps:
  - run: doublezero connect $mode
  - for_each: { mode: [ibrl], other: [x] }
    do: []
  - for_each: { mode: [ibrl] }
    done: []
  - for_each: { mode: [ibrl, multicast] }
    do:
      - run: doublezero connect $mod
  - for_each: { case: [{ mode: ibrl }] }
    do:
      - run: doublezero connect $case.mod $case ${case.mode} ${mode.x}
"#
)]
#[case::value_of_a_variable(
    "value-of-a-variable",
    r#"
matrix: { tolerance: [5ms, 5 parsecs] }
network: {}
policy: { client: { latency_tolerance: $tolerance } }
"#
)]
#[case::bad_expectation(
    "bad-expectation",
    r#"
network: { exchanges: { nyc: {} }, devices: { nyc1: { endpoints: [9.1.1.1] } }, clients: { val1: {} } }
steps:
  - expect: {}
  - expect: { val1.tunnels: { any_of: 5 }, val1.status: { matches: "(" }, val1.latency: { count: few } }
  - expect: { "val1..tunnels": 1, "val1.tunnels[": 1 }
  - expect: { val1.tunnels: [{ endpoint: nyc1.endpoints.1 }, { endpoint: nyc1.endpoints.x }] }
  - snapshot: []
  - snapshot: [chian]
  - parallel: []
"#
)]
#[case::bad_fault(
    "bad-fault",
    r#"
network: { exchanges: { nyc: {} }, devices: { nyc1: {} }, clients: { val1: {} } }
steps:
  - fault: { ledger: outage, delay: 5ms }
  - fault: { ledger: outtage }
  - fault: { nodes: nyc1 }
  - fault: { path: { from: val1, to: nyc1 }, mtu: 100 }
  - fault: { process: activator2 }
  - fault: { interface: nyc1 }
  - fault: { interface: nyc2:Loopback100 }
  - heal: { interface: nyc1:lo100 }
  - epoch: 6
  - heal: everything
"#
)]
#[case::views_without_such_a_place(
    "views-without-such-a-place",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {} }
  clients: { val1: {}, val2: { pass: { any_ip: true } }, val3: { pass: false } }
  groups: { mg01: {} }
steps:
  - expect:
      "val1.tunnels[0].nmae": doublezero0
      val1.status.services.0.tunnel_name.x: 1
      chain.passes[val1.client_ip]: { unicast_users: 1 }
      chain.passes[9.1.2.3].unicast_users: 1
      chain.pools[nyc1:tunnel-idz].used: 0
      chain.pools[nyc9:tunnel-ids].used: 0
      chain.interfaces[nyc9:Loopback100].status: Activated
      chain.groups.mg02: null
      chain.devices.nyc2: { status: Activated }
  - expect: { val1.tunnels: [{ name: doublezero0, sesion: up }], nyc1.tunnels: { count: 1, name: x }, chain.users: { contains: [{ client: x }] } }
  - expect: { chain.devices: { nyc1: { not: { statuz: Drained } } }, nyc1.kernel: { interfaces: [], routes: { any_of: [[{ vai: null }], []] } } }
  - run: doublezero conect ibrl
    on: val1
  - { run: doublezero conect ibrl, on: val1, exit: 2 }
  - { run: doublezero multicast-group create --code mg03 --device nyc8, on: operator, exit: failure }
  - expect: { chain.groups.mg03: null, chain.devices.nyc8: null, nyc1.config.tunnels.500.source: 9.1.1.1 }
"#
)]
#[case::path_to_nobody(
    "path-to-nobody",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: { public_ip: 9.1.1.1, endpoints: [9.1.1.2] } }
  clients: { val1: {} }
  paths: [{ from: val1, to: 9.1.1.3, one_way: true, loss: 1% }]
steps:
  - fault: { path: { from: val1, to: 9.1.1.2, one_way: true } }
  - fault: { path: { from: val1, to: 9.7.7.7, one_way: true } }
"#
)]
#[case::packets_to_nobody(
    "packets-to-nobody",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: { public_ip: 9.1.1.1, endpoints: [9.1.1.2], prefix: 9.2.0.0/29 } }
  clients: { val1: {}, val2: {} }
  groups: { mg01: {} }
steps:
  - ping: { from: val1, to: 9.1.1.3 }
  - ping: { from: val1, to: 9.7.7.7, received: ">= 1" }
  - send: { from: val1, to: 9.7.7.8, received_by: val2 }
  # That nobody answers is what these are about.
  - ping: { from: val1, to: 9.7.7.7, received: 0 }
  - send: { from: val1, to: 9.7.7.7, not_received_by: val2 }
  # Somebody may have these: from a prefix, of a tunnel, by a command.
  - ping: { from: val1, to: 9.2.0.3 }
  - ping: { from: val1, to: 169.254.0.1 }
  - run: doublezero interface create nyc1 Loopback7 --ip 9.7.7.9
    on: val1
  - ping: { from: val1, to: 9.7.7.9 }
"#
)]
#[case::interfaces_of_no_form(
    "interfaces-of-no-form",
    r#"
network: { exchanges: { nyc: {} }, devices: { nyc1: {} } }
steps:
  - { run: doublezero interface create nyc1 Loopbakc7, on: operator }
  - { run: doublezero interface get nyc1 Loopback, on: operator }
  - { run: doublezero interface update nyc2 port7 --mtu 1500, on: operator }
  - expect: { "chain.interfaces[nyc1:Loopbakc100].status": Activated }
  # That it is refused is what this is about.
  - { run: doublezero interface create nyc1 Loopbakc7, on: operator, exit: 6 }
"#
)]
#[case::brackets_without_quotes(
    "brackets-without-quotes",
    r#"
network: { exchanges: { nyc: {} }, devices: { nyc1: {} } }
steps:
  - expect: { chain.pools[nyc1:tunnel-ids].used: 0 }
"#
)]
#[case::broken_things_are_still_known(
    "broken-things-are-still-known",
    r#"
network:
  exchanges: { nyc: {} }
  devices: { nyc1: { colour: red, prefix: 5 } }
  clients: { val1: { pass: 7 } }
steps:
  - ping: { from: val1, to: nyc1 }
"#
)]
#[case::too_long_and_too_deep("too-long-and-too-deep", r#"network: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
"#)]
fn is_told(#[case] name: &str, #[case] text: &str) {
    let diagnostics = read(text).expect_err("the file is wrong");
    insta::with_settings!({
        snapshot_path => "../../../../snapshots/diagnostics",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, diagnostics.render(dzsim_scenario::Look::PLAIN));
    });
}

#[test]
fn programs_get_the_same_as_json() {
    let diagnostics = read("network: { devices: { nyc1: { exchnge: nyc } } }").expect_err("a misspelt key");
    insta::with_settings!({ snapshot_path => "../../../../snapshots/diagnostics", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("as-json", diagnostics);
    });
}

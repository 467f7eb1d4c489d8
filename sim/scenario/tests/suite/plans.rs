//! Plans of files: defaults, cases and rounds.

use std::{net::Ipv4Addr, time::Duration};

use dzsim_scenario::plan::{Action, Arg, Bootstrap, Match, Ref, Segment, View};

use crate::read;

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

#[test]
fn the_smallest_network_has_every_default() {
    let cases =
        read("network: { devices: { nyc1: { exchange: nyc } }, clients: { val1: { exchange: nyc } } }").unwrap();
    let [case] = cases.as_slice() else { panic!("one case") };
    assert_eq!(case.name, "topic/case");
    assert_eq!(case.seed, None);
    let device = &case.plan.devices["nyc1"];
    assert_eq!(device.public_ip, ip("9.0.0.1"));
    assert_eq!(device.contributor.as_str(), "co1");
    assert_eq!(device.bootstrap, Bootstrap::Carve { from_block: false, prefix_len: 29, pull: 2 });
    assert_eq!(device.caps.max_users, None);
    let client = &case.plan.clients["val1"];
    assert_eq!(client.client_ip, ip("9.128.0.1"));
    assert_eq!(client.pass.as_ref().map(|pass| (pass.max_unicast, pass.max_multicast)), Some((1, 1)));
    assert_eq!(case.policy.connect.latency_tolerance.0, Duration::from_millis(5));
    assert_eq!((case.policy.loopbacks.first, case.policy.loopbacks.last), (100, 199));
    assert_eq!(case.plan.timeouts.scenario, Duration::from_secs(120));
}

#[test]
fn addresses_that_are_taken_are_not_given_out() {
    let text = "
network:
  exchanges: { nyc: {} }
  devices: { a: {}, b: { public_ip: 9.0.0.1 } }
  clients: { c: {}, d: { ip: 9.128.0.1 } }
";
    let cases = read(text).unwrap();
    assert_eq!(cases[0].plan.devices["a"].public_ip, ip("9.0.0.2"));
    assert_eq!(cases[0].plan.clients["c"].client_ip, ip("9.128.0.2"));
}

#[test]
fn a_matrix_makes_a_case_of_each_combination() {
    let text = "
matrix:
  tolerance: [1ms, 5ms]
  pulled: 1..2
network: { devices: { nyc1: { exchange: nyc, pull: $pulled } } }
policy: { client: { latency_tolerance: $tolerance } }
";
    let cases = read(text).unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "topic/case[pulled=1,tolerance=1ms]",
            "topic/case[pulled=2,tolerance=1ms]",
            "topic/case[pulled=1,tolerance=5ms]",
            "topic/case[pulled=2,tolerance=5ms]",
        ]
    );
    assert_eq!(cases[3].policy.connect.latency_tolerance.0, Duration::from_millis(5));
    assert_eq!(
        cases[3].plan.devices["nyc1"].bootstrap,
        Bootstrap::Carve { from_block: false, prefix_len: 29, pull: 2 }
    );
}

#[test]
fn rounds_are_unrolled_in_order_and_are_branches_in_parallel() {
    let text = "
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {} }
  clients: { val: { count: 2 } }
steps:
  - for_each: { client: [val1, val2] }
    do:
      - run: doublezero connect ibrl
        on: $client
      - run: doublezero status
        on: ${client}
  - parallel:
      - for_each: { n: 1..2 }
        do:
          - { run: doublezero disconnect, on: val$n }
      - { run: doublezero status, on: val1 }
";
    let cases = read(text).unwrap();
    let titles: Vec<&str> = cases[0].plan.steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "val1: doublezero connect ibrl",
            "val1: doublezero status",
            "val2: doublezero connect ibrl",
            "val2: doublezero status",
            "3 at the same time",
        ]
    );
    let Action::Parallel { branches, .. } = &cases[0].plan.steps[4].action else { panic!("parallel") };
    let titles: Vec<Vec<&str>> =
        branches.iter().map(|branch| branch.iter().map(|step| step.title.as_str()).collect()).collect();
    assert_eq!(titles, [["val1: doublezero disconnect"], ["val2: doublezero disconnect"], ["val1: doublezero status"]]);
}

#[test]
fn references_are_typed_and_static_ones_are_addresses() {
    let text = "
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {} }
  clients: { val1: {} }
steps:
  - run: doublezero user get --client-ip val1.client_ip --endpoint nyc1.endpoints.1
    on: operator
  - expect:
      chain.users.count: \">= 1\"
      chain.passes[9.128.0.1].unicast_users: 1
      val1.tunnels: { contains: { endpoint: nyc1.public_ip } }
";
    let cases = read(text).unwrap();
    let Action::Run(run) = &cases[0].plan.steps[0].action else { panic!("run") };
    assert_eq!(run.argv[4], Arg::Text("9.128.0.1".to_owned()));
    let device = cases[0].plan.devices.keys().next().unwrap().clone();
    assert_eq!(run.argv[6], Arg::Ref(Ref::Endpoint { device, index: 1 }));
    let Action::Expect { expectations, .. } = &cases[0].plan.steps[1].action else { panic!("expect") };
    let client = cases[0].plan.clients.keys().next().unwrap().clone();
    let key = |key: &str| Segment::Key(key.to_owned());
    assert_eq!(
        (&expectations[0].path.view, expectations[0].path.rest.as_slice()),
        (&View::ChainPasses, [key("9.128.0.1"), key("unicast_users")].as_slice())
    );
    assert_eq!(
        (&expectations[1].path.view, expectations[1].path.rest.as_slice()),
        (&View::ChainUsers, [Segment::Count].as_slice())
    );
    assert_eq!(
        (&expectations[2].path.view, expectations[2].path.rest.as_slice()),
        (&View::ClientTunnels(client), [].as_slice())
    );
    let Match::Contains(inner) = &expectations[2].expected else { panic!("contains") };
    let Match::Table(table) = &inner[0] else { panic!("table") };
    assert_eq!(table["endpoint"], Match::Text("9.0.0.1".to_owned()));
}

#[test]
fn all_and_common_names_stand_for_clients_with_a_pass() {
    let text = "
network:
  exchanges: { nyc: {} }
  clients: { val: { count: 2 }, other: { pass: false } }
  groups: { g1: { publishers: val, subscribers: all } }
";
    let cases = read(text).unwrap();
    let group = &cases[0].plan.groups["g1"];
    let names = |set: &std::collections::BTreeSet<_>| set.iter().map(ToString::to_string).collect::<Vec<String>>();
    assert_eq!(names(&group.publishers), ["val1", "val2"]);
    assert_eq!(names(&group.subscribers), ["val1", "val2"]);
}

#[test]
fn a_variable_may_hold_a_table_of_what_differs() {
    let text = "
matrix:
  case: [{ name: narrow, tolerance: 1ms, exit: 7 }, { name: wide, tolerance: 9ms, exit: 0 }]
network: { exchanges: { nyc: {} }, clients: { val1: {} } }
policy: { client: { latency_tolerance: $case.tolerance } }
steps:
  - { run: doublezero status, exit: $case.exit, name: \"${case.name} $case.exit.\" }
";
    let cases = read(text).unwrap();
    let seen: Vec<_> = cases
        .iter()
        .map(|case| (case.name.as_str(), case.policy.connect.latency_tolerance.0, case.plan.steps[0].title.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("topic/case[case=narrow]", Duration::from_millis(1), "narrow 7."),
            ("topic/case[case=wide]", Duration::from_millis(9), "wide 0."),
        ]
    );
}

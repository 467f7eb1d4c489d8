//! Plans for devices and their interfaces: the three ways of bootstrapping, more endpoints, the way back.

use dz_activator::plan::{Action, Decision, Subject};
use dz_policy::{EndpointPull, LoopbackNumbering};
use dz_sdk::program::state::{
    AccountType, Bootstrap, DeviceStatus, DeviceType, InterfaceStatus, PoolKind, PrefixSource,
};
use rstest::rstest;

use crate::world::{World, ip, net};

const CARVE: Bootstrap = Bootstrap::Carve { prefix_len: 29 };
const NOTHING: [&str; 0] = [];

#[test]
fn a_device_with_nothing_comes_up_in_one_plan() {
    let mut world = World::new();
    let device = world.device("nyc1", CARVE);
    let contributor = world.view.device(&device).unwrap().contributor;
    let acme = Subject { kind: AccountType::Contributor, key: contributor, label: "contributor acme".to_owned() };
    let nyc1 = Subject { kind: AccountType::Device, key: device, label: "device nyc1".to_owned() };
    let action = |subject: &Subject, decision, reason: &str| Action {
        subject: subject.clone(),
        decision,
        reason: reason.to_owned(),
    };
    let prefix = net("148.51.0.0/29");
    let pull = |address, loopback_number| Decision::PullEndpoint { prefix, ip: ip(address), loopback_number };
    let expected = [
        action(
            &acme,
            Decision::AllocateContributorBlock { block: net("148.51.0.0/24") },
            "its first device needs a prefix",
        ),
        action(&nyc1, Decision::CarveDevicePrefix { net: prefix }, "it is registered to be given a /29"),
        action(&nyc1, pull("148.51.0.1", 100), "endpoint 1 of 2, off 148.51.0.0/29"),
        action(&nyc1, pull("148.51.0.2", 101), "endpoint 2 of 2, off 148.51.0.0/29"),
        action(&nyc1, Decision::ActivateDevice, "it has its prefixes (1) and endpoints (2)"),
    ];
    assert_eq!(world.plan().actions, expected);
    assert_eq!(world.plan().conditions, []);
}

#[test]
fn a_device_with_an_own_prefix_waits_for_it_and_pulls_off_it() {
    let mut world = World::new();
    let device = world.device("nyc1", Bootstrap::OwnPrefix);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["device nyc1: waits-for-prefix: its contributor has not added a prefix yet"]);

    world.prefix(device, "45.33.100.0/29", PrefixSource::Own);
    assert_eq!(
        world.actions(),
        [
            "device nyc1: pull-endpoint 45.33.100.1 on Loopback100",
            "device nyc1: pull-endpoint 45.33.100.2 on Loopback101",
            "device nyc1: activate-device",
        ]
    );
    assert_eq!(world.conditions(), NOTHING);
}

#[rstest]
#[case::pending(DeviceStatus::Pending, 2, true)]
#[case::pending_without_endpoints(DeviceStatus::Pending, 0, true)]
#[case::live_and_lacking(DeviceStatus::Activated, 2, true)]
#[case::live_and_complete(DeviceStatus::Activated, 0, false)]
fn a_device_without_an_own_prefix_waits_while_it_lacks_something(
    #[case] status: DeviceStatus,
    #[case] endpoints_wanted: u8,
    #[case] waits: bool,
) {
    let mut world = World::new();
    let device = world.device("nyc1", Bootstrap::OwnPrefix);
    world.edit_device(device, |device| {
        device.status = status;
        device.endpoints_wanted = endpoints_wanted;
    });
    assert_eq!(world.actions(), NOTHING);
    let condition = "device nyc1: waits-for-prefix: its contributor has not added a prefix yet".to_owned();
    assert_eq!(world.conditions(), Vec::from_iter(waits.then_some(condition)));
}

#[rstest]
#[case(EndpointPull::FirstFit, LoopbackNumbering::Lowest, ["45.33.100.1 on Loopback100", "45.33.100.2 on Loopback101"])]
#[case(EndpointPull::Spread, LoopbackNumbering::Lowest, ["45.33.100.1 on Loopback100", "45.33.200.1 on Loopback101"])]
// 45.33.100.1 modulo 10 is 9 and 45.33.100.2 modulo 10 is 0.
#[case(EndpointPull::FirstFit, LoopbackNumbering::ByAddress, ["45.33.100.1 on Loopback109", "45.33.100.2 on Loopback100"])]
fn strategies_choose_prefix_and_number(
    #[case] endpoint_strategy: EndpointPull,
    #[case] loopback_strategy: LoopbackNumbering,
    #[case] pulled: [&str; 2],
) {
    let mut world = World::new();
    world.policy.endpoint_strategy = endpoint_strategy;
    world.policy.loopback_strategy = loopback_strategy;
    let device = world.device("nyc1", Bootstrap::OwnPrefix);
    world.prefix(device, "45.33.100.0/29", PrefixSource::Own);
    world.prefix(device, "45.33.200.0/29", PrefixSource::Own);
    assert_eq!(world.actions()[..2], pulled.map(|pulled| format!("device nyc1: pull-endpoint {pulled}")));
}

#[test]
fn spreading_counts_the_endpoints_that_a_prefix_has() {
    let mut world = World::new();
    world.policy.endpoint_strategy = EndpointPull::Spread;
    let device = world.ready_device("nyc1", "45.33.100.0/29");
    world.prefix(device, "45.33.200.0/29", PrefixSource::Own);
    world.edit_device(device, |device| device.endpoints_wanted = 5);
    assert_eq!(
        world.actions(),
        [
            "device nyc1: pull-endpoint 45.33.200.1 on Loopback102",
            "device nyc1: pull-endpoint 45.33.200.2 on Loopback103",
            "device nyc1: pull-endpoint 45.33.100.3 on Loopback104",
        ]
    );
}

/// A number of full prefixes, and how they are listed.
#[rstest]
#[case(3, "45.33.1.0/30 (3 of 3 in use), 45.33.2.0/30 (3 of 3 in use), 45.33.3.0/30 (3 of 3 in use)")]
#[case(5, "45.33.1.0/30 (3 of 3 in use), 45.33.2.0/30 (3 of 3 in use), 45.33.3.0/30 (3 of 3 in use) and 2 more")]
fn three_full_prefixes_are_named_and_the_others_counted(#[case] count: u8, #[case] named: &str) {
    let mut world = World::new();
    let device = world.device("nyc1", Bootstrap::OwnPrefix);
    for number in 1..=count {
        let pool = world.prefix(device, &format!("45.33.{number}.0/30"), PrefixSource::Own);
        world.exhaust(pool);
    }
    assert_eq!(world.actions(), NOTHING);
    let condition = format!("device nyc1: pool-full: 0 of 2 wanted endpoints: no free address in {named}");
    assert_eq!(world.conditions(), [condition]);
}

#[test]
fn a_prefix_that_is_too_small_leaves_the_device_pending_and_says_so() {
    let mut world = World::new();
    let device = world.device("nyc1", Bootstrap::OwnPrefix);
    world.edit_device(device, |device| device.endpoints_wanted = 9);
    let pool = world.prefix(device, "45.33.100.0/29", PrefixSource::Own);
    for host in 2..8 {
        world.take(pool, u32::from(ip("45.33.100.0")) + host);
    }
    assert_eq!(world.actions(), ["device nyc1: pull-endpoint 45.33.100.1 on Loopback100"]);
    assert_eq!(
        world.conditions(),
        ["device nyc1: pool-full: 1 of 9 wanted endpoints: no free address in 45.33.100.0/29 (7 of 7 in use)"]
    );
    // Another prefix is all it takes.
    world.prefix(device, "45.33.200.0/29", PrefixSource::Own);
    assert_eq!(
        world.conditions(),
        ["device nyc1: pool-full: 8 of 9 wanted endpoints: no free address in \
        45.33.100.0/29 (7 of 7 in use), 45.33.200.0/29 (7 of 7 in use)"]
    );
}

#[test]
fn a_full_range_of_loopbacks_is_said_and_not_fought() {
    let mut world = World::new();
    let device = world.ready_device("nyc1", "45.33.100.0/29");
    world.edit_device(device, |device| device.endpoints_wanted = 3);
    world.exhaust(world.pool_key(PoolKind::EndpointLoopbacks, device, 100));
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(
        world.conditions(),
        ["device nyc1: pool-full: 2 of 3 wanted endpoints: no free loopback number in 100 to 109 (10 of 10 in use)"]
    );
}

#[test]
fn a_device_with_own_endpoints_waits_for_one_and_activates_it_with_itself() {
    let mut world = World::new();
    let device = world.device("nyc1", Bootstrap::OwnEndpoints);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(
        world.conditions(),
        ["device nyc1: waits-for-endpoint: its contributor has not added an interface that tunnels may end on yet"]
    );
    world.interface(device, "Ethernet1/1", InterfaceStatus::Pending, None);
    assert_eq!(world.actions(), ["interface nyc1/Ethernet1/1: activate-interface"]);

    world.interface(device, "Loopback100", InterfaceStatus::Pending, Some("45.33.100.1"));
    let mut actions = world.actions();
    actions[..2].sort();
    assert_eq!(
        actions,
        [
            "interface nyc1/Ethernet1/1: activate-interface",
            "interface nyc1/Loopback100: activate-interface",
            "device nyc1: activate-device",
        ]
    );
}

#[rstest]
#[case(CARVE)]
#[case(Bootstrap::OwnPrefix)]
#[case(Bootstrap::OwnEndpoints)]
fn a_transit_device_needs_nothing(#[case] bootstrap: Bootstrap) {
    let mut world = World::new();
    let device = world.device("nyc1", bootstrap);
    world.edit_device(device, |device| device.device_type = DeviceType::Transit);
    assert_eq!(world.actions(), ["device nyc1: activate-device"]);
    assert_eq!(world.conditions(), NOTHING);
}

#[test]
fn a_transit_device_that_becomes_a_hybrid_gets_what_it_lacks() {
    let mut world = World::new();
    let device = world.device("nyc1", CARVE);
    world.edit_device(device, |device| device.status = DeviceStatus::Activated);
    assert_eq!(
        world.actions(),
        [
            "contributor acme: allocate-contributor-block block 148.51.0.0/24",
            "device nyc1: carve-device-prefix prefix 148.51.0.0/29",
            "device nyc1: pull-endpoint 148.51.0.1 on Loopback100",
            "device nyc1: pull-endpoint 148.51.0.2 on Loopback101",
        ]
    );
}

/// A live device has its carved prefix, or its contributor has removed it.
#[rstest]
#[case::there_is_a_prefix_to_pull_off(true, 1, &["device nyc1: pull-endpoint 148.51.0.1 on Loopback100"])]
#[case::nothing_is_wanted(false, 0, &[])]
#[case::there_is_nothing_to_pull_off(
    false,
    1,
    &[
        "device nyc1: carve-device-prefix prefix 148.51.0.0/29",
        "device nyc1: pull-endpoint 148.51.0.1 on Loopback100",
    ]
)]
fn a_live_device_is_carved_another_prefix_only_for_endpoints_it_lacks(
    #[case] has_prefix: bool,
    #[case] endpoints_wanted: u8,
    #[case] expected: &[&str],
) {
    let mut world = World::new();
    let device = world.device("nyc1", CARVE);
    let contributor = world.view.device(&device).unwrap().contributor;
    let block = world.contributor_block(contributor, "148.51.0.0/24");
    if has_prefix {
        world.take(block, ip("148.51.0.0").into());
        world.prefix(device, "148.51.0.0/29", PrefixSource::Carved { pool: block });
    }
    world.edit_device(device, |device| {
        device.status = DeviceStatus::Activated;
        device.endpoints_wanted = endpoints_wanted;
    });
    assert_eq!(world.actions(), expected);
    assert_eq!(world.conditions(), NOTHING);
}

#[test]
fn a_live_device_gets_more_endpoints_when_more_are_wanted_and_never_fewer() {
    let mut world = World::new();
    let device = world.ready_device("nyc1", "45.33.100.0/29");
    assert_eq!(world.actions(), NOTHING);
    world.edit_device(device, |device| device.endpoints_wanted = 4);
    assert_eq!(
        world.actions(),
        [
            "device nyc1: pull-endpoint 45.33.100.3 on Loopback102",
            "device nyc1: pull-endpoint 45.33.100.4 on Loopback103",
        ]
    );
    world.edit_device(device, |device| device.endpoints_wanted = 1);
    assert_eq!(world.actions(), NOTHING);
    world.edit_device(device, |device| {
        device.endpoints_wanted = 4;
        device.status = DeviceStatus::Drained;
    });
    assert_eq!(world.actions(), NOTHING);
}

#[test]
fn a_pulled_endpoint_that_goes_is_replaced_while_it_is_wanted() {
    let mut world = World::new();
    let device = world.ready_device("nyc1", "45.33.100.0/29");
    let key = world.view.endpoints(&device)[0].1;
    let mut interface = world.view.interface(&key).unwrap().clone();
    interface.status = InterfaceStatus::Deleting;
    world.put(key, &interface);
    let close = "interface nyc1/Loopback100: close-interface";
    assert_eq!(world.actions(), [close, "device nyc1: pull-endpoint 45.33.100.1 on Loopback100"]);
    world.edit_device(device, |device| device.endpoints_wanted = 1);
    assert_eq!(world.actions(), [close]);
    assert_eq!(world.conditions(), NOTHING);
}

#[test]
fn a_device_that_goes_gives_everything_back_in_order() {
    let mut world = World::new();
    let device = world.device("nyc1", CARVE);
    let contributor = world.view.device(&device).unwrap().contributor;
    let block = world.contributor_block(contributor, "148.51.0.0/24");
    world.take(block, ip("148.51.0.0").into());
    let prefix = world.prefix(device, "148.51.0.0/29", PrefixSource::Carved { pool: block });
    world.pulled(device, 100, "148.51.0.1", prefix);
    world.edit_device(device, |device| device.status = DeviceStatus::Deleting);
    // Its prefix is free for the next device in the same plan.
    world.device("nyc2", CARVE);
    assert_eq!(
        world.actions(),
        [
            "interface nyc1/Loopback100: delete-interface",
            "interface nyc1/Loopback100: close-interface",
            "device nyc1: remove-device-prefix prefix 148.51.0.0/29",
            "device nyc1: close-device",
            "device nyc2: carve-device-prefix prefix 148.51.0.0/29",
            "device nyc2: pull-endpoint 148.51.0.1 on Loopback100",
            "device nyc2: pull-endpoint 148.51.0.2 on Loopback101",
            "device nyc2: activate-device",
        ]
    );
}

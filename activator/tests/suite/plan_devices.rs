//! Plans for devices and their interfaces: the three ways of bootstrapping, more endpoints, the way back.

use dz_activator::plan::{Action, Decision, Subject};
use dz_policy::{EndpointPull, LoopbackNumbering};
use dz_sdk::program::state::{
    AccountType, Bootstrap, ContributorStatus, DeviceStatus, DeviceType, InterfaceStatus, PoolKind, PrefixSource,
};
use rstest::rstest;

use crate::world::{World, config_key, ip, net};

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
fn devices_of_one_contributor_share_its_new_block_and_others_get_their_own() {
    let mut world = World::new();
    let devices = ["a", "b", "c"].map(|code| world.device(code, CARVE));
    let other = world.contributor("other", ContributorStatus::Activated);
    world.edit_device(devices[2], |device| device.contributor = other);
    let plan = world.plan();
    let prefix_of = |device| {
        plan.actions.iter().find_map(|action| match action.decision {
            Decision::CarveDevicePrefix { net } if action.subject.key == device => Some(net),
            _ => None,
        })
    };
    let blocks = plan.actions.iter().filter(|action| action.decision.name() == "allocate-contributor-block").count();
    assert_eq!(blocks, 2);
    let [a, b, c] = devices.map(|device| prefix_of(device).unwrap());
    assert_eq!(a.network().octets()[..3], b.network().octets()[..3]);
    assert_ne!(a, b);
    assert_ne!(a.network().octets()[..3], c.network().octets()[..3]);
}

#[test]
fn a_block_with_room_is_used_and_the_next_one_when_it_is_full() {
    let mut world = World::new();
    let device = world.device("nyc1", Bootstrap::Carve { prefix_len: 27 });
    let contributor = world.view.device(&device).unwrap().contributor;
    let first = world.contributor_block(contributor, "148.51.0.0/24");
    world.take(first, ip("148.51.0.8").into());
    assert_eq!(world.actions()[0], "device nyc1: carve-device-prefix prefix 148.51.0.32/27");

    world.exhaust(first);
    assert_eq!(
        world.actions()[..2],
        [
            "contributor acme: allocate-contributor-block block 148.51.1.0/24",
            "device nyc1: carve-device-prefix prefix 148.51.1.0/27",
        ]
    );

    let second = world.contributor_block(contributor, "148.51.1.0/24");
    assert_eq!(world.actions()[0], "device nyc1: carve-device-prefix prefix 148.51.1.0/27");

    world.exhaust(second);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["device nyc1: pool-full: no free /24 in 148.51.0.0/23 (2 of 2 in use)"]);

    world.block(PoolKind::DoubleZeroBlock, "148.52.0.0/23");
    assert_eq!(world.actions()[0], "contributor acme: allocate-contributor-block block 148.52.0.0/24");
}

#[test]
fn a_block_with_somebody_elses_address_in_it_is_passed_over() {
    let mut world = World::new();
    world.device("nyc1", CARVE);
    let registry = world.pool(PoolKind::AddressRegistry, config_key(), ip("148.51.0.0").into(), 1, 256, 0);
    world.take(registry, ip("148.51.0.77").into());
    assert_eq!(world.actions()[0], "contributor acme: allocate-contributor-block block 148.51.1.0/24");
}

#[test]
fn a_suspended_contributor_is_given_no_block() {
    let mut world = World::new();
    world.contributor("acme", ContributorStatus::Suspended);
    world.device("nyc1", CARVE);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["device nyc1: out-of-use: contributor acme is suspended: it is given no block"]);
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

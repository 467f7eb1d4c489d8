//! Plans for users: what each kind is given, what happens when nothing is left, role changes, the way back.

use std::collections::BTreeSet;

use dz_activator::plan::{Action, Decision, Subject};
use dz_policy::{DzIp, WhenFull};
use dz_sdk::program::{
    instruction::RoleChange,
    state::{AccountType, DeviceStatus, MulticastGroupStatus, PoolKind, PrefixSource, UserStatus, UserType},
};
use rstest::rstest;
use solana_pubkey::Pubkey;

use crate::world::{World, config_key, ip, net};

const NOTHING: [&str; 0] = [];
const NO_ROLES: RoleChange = RoleChange { publish: Some(false), subscribe: Some(false) };

fn world() -> (World, Pubkey) {
    let mut world = World::new();
    let device = world.ready_device("nyc1", "45.33.100.0/29");
    (world, device)
}

fn publisher_block(world: &World) -> Pubkey {
    world.global_pool(PoolKind::MulticastPublisherBlock, net("148.51.120.0/31"))
}

#[rstest]
#[case::ibrl(UserType::Ibrl, false, "7.0.0.1")]
#[case::allocated(UserType::IbrlWithAllocatedIp, false, "45.33.100.3")]
#[case::subscriber(UserType::Multicast, false, "7.0.0.1")]
#[case::publisher(UserType::Multicast, true, "148.51.120.0")]
fn each_kind_of_user_is_known_by_its_own_address(
    #[case] user_type: UserType,
    #[case] publishes: bool,
    #[case] dz_ip: &str,
) {
    let (mut world, device) = world();
    let group = world.group("mg01", MulticastGroupStatus::Activated);
    world.exhaust_block(PoolKind::MulticastGroupBlock, "233.84.178.0/31");
    let key = world.user(device, "7.0.0.1", user_type);
    world.edit_user(key, |user| match (user_type.is_multicast(), publishes) {
        (true, true) => user.publishers = vec![group],
        (true, false) => user.subscribers = vec![group],
        (false, _) => {}
    });
    let expected = Action {
        subject: Subject { kind: AccountType::User, key, label: "user 7.0.0.1 -> 45.33.100.1".to_owned() },
        decision: Decision::ActivateUser { tunnel_net: net("169.254.0.0/31"), tunnel_id: 500, dz_ip: ip(dz_ip) },
        reason: format!("new {user_type} user on device nyc1"),
    };
    assert_eq!(world.plan().actions, [expected]);
    assert_eq!(world.conditions(), NOTHING);
}

#[test]
fn no_two_users_of_one_plan_get_the_same_unit() {
    let (mut world, device) = world();
    world.block(PoolKind::UserTunnelBlock, "169.254.1.0/24");
    for client in 1..=4 {
        world.user(device, &format!("7.0.0.{client}"), UserType::IbrlWithAllocatedIp);
    }
    let (mut nets, mut ids, mut addresses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for action in world.plan().actions {
        let Decision::ActivateUser { tunnel_net, tunnel_id, dz_ip } = action.decision else {
            panic!("{action:?}");
        };
        nets.insert(tunnel_net.to_string());
        ids.insert(tunnel_id);
        addresses.insert(dz_ip);
    }
    assert_eq!(
        nets,
        BTreeSet::from(["169.254.0.0/31", "169.254.0.2/31", "169.254.0.4/31", "169.254.0.6/31"].map(str::to_owned))
    );
    assert_eq!(ids, BTreeSet::from([500, 501, 502, 503]));
    assert_eq!(addresses, BTreeSet::from(["45.33.100.3", "45.33.100.4", "45.33.100.5", "45.33.100.6"].map(ip)));
}

#[test]
fn allocation_rolls_over_to_the_next_block_and_the_next_prefix() {
    let (mut world, device) = world();
    world.user(device, "7.0.0.1", UserType::IbrlWithAllocatedIp);
    world.exhaust_block(PoolKind::UserTunnelBlock, "169.254.0.0/29");
    world.exhaust(world.pool_key(PoolKind::DevicePrefix, device, ip("45.33.100.0").into()));
    world.block(PoolKind::UserTunnelBlock, "169.254.9.0/24");
    world.prefix(device, "45.33.200.0/29", PrefixSource::Own);
    assert_eq!(
        world.actions(),
        ["user 7.0.0.1 -> 45.33.100.1: activate-user tunnel 169.254.9.0/31, id 500, dz_ip 45.33.200.1"]
    );
}

/// A device has a prefix out of a DoubleZero block and one of its own; some of them are full.
#[rstest]
#[case::own_space_first(UserType::IbrlWithAllocatedIp, &[], Ok("45.33.100.3"))]
#[case::foundations_space_next(UserType::IbrlWithAllocatedIp, &["45.33.100.0"], Ok("148.51.0.1"))]
#[case::own_space_left(UserType::IbrlWithAllocatedIp, &["148.51.0.0"], Ok("45.33.100.3"))]
#[case::filtered(UserType::EdgeFiltering, &[], Ok("148.51.0.1"))]
#[case::filtered_without_own_space(UserType::EdgeFiltering, &["45.33.100.0"], Ok("148.51.0.1"))]
#[case::filtered_has_no_other(
    UserType::EdgeFiltering, &["148.51.0.0"], Err("no free address in 148.51.0.0/30 (3 of 3 in use)")
)]
#[case::nothing_left(
    UserType::IbrlWithAllocatedIp,
    &["148.51.0.0", "45.33.100.0"],
    Err("no free address in 45.33.100.0/29 (7 of 7 in use), 148.51.0.0/30 (3 of 3 in use)")
)]
fn foundations_space_is_for_those_who_need_it(
    #[case] user_type: UserType,
    #[case] full: &[&str],
    #[case] outcome: Result<&str, &str>,
) {
    let (mut world, device) = world();
    let pool = world.global_pool(PoolKind::DoubleZeroBlock, net("148.51.0.0/24"));
    world.prefix(device, "148.51.0.0/30", PrefixSource::Carved { pool });
    world.edit_device(device, |device| device.prefixes.reverse());
    for base in full {
        world.exhaust(world.pool_key(PoolKind::DevicePrefix, device, ip(base).into()));
    }
    world.user(device, "7.0.0.1", user_type);
    let expected = match outcome {
        Ok(dz_ip) => Decision::ActivateUser { tunnel_net: net("169.254.0.0/31"), tunnel_id: 500, dz_ip: ip(dz_ip) },
        Err(reason) => Decision::RejectUser { reason: format!("device nyc1: {reason}") },
    };
    let decisions: Vec<_> = world.plan().actions.into_iter().map(|action| action.decision).collect();
    assert_eq!(decisions, [expected]);
}

/// Last numbers of addresses around 45.33.100.0/29, whose 1 and 2 are endpoints, that clients connect from.
#[rstest]
#[case::none(&[], "45.33.100.3")]
#[case::next(&[3, 4], "45.33.100.5")]
#[case::all_but_the_last(&[3, 4, 5, 6], "45.33.100.7")]
#[case::all(&[3, 4, 5, 6, 7], "45.33.200.1")]
#[case::taken_ones_count_once(&[1, 2], "45.33.100.3")]
#[case::beside_it(&[8, 9, 10, 11, 12, 13], "45.33.100.3")]
fn an_address_that_a_client_connects_from_is_passed_over(#[case] clients: &[u32], #[case] dz_ip: &str) {
    let (mut world, device) = world();
    world.prefix(device, "45.33.200.0/29", PrefixSource::Own);
    let base = u32::from(ip("45.33.100.0"));
    let registry = world.pool(PoolKind::ClientAddresses, config_key(), base, 1, 256, 0);
    clients.iter().for_each(|client| world.take(registry, base + client));
    world.user(device, "7.0.0.1", UserType::IbrlWithAllocatedIp);
    let line = "user 7.0.0.1 -> 45.33.100.1: activate-user tunnel 169.254.0.0/31, id 500, dz_ip";
    assert_eq!(world.actions(), [format!("{line} {dz_ip}")]);
}

#[test]
fn spreading_takes_the_prefix_with_the_smaller_share_in_use() {
    let (mut world, device) = world();
    world.policy.dz_ip_strategy = DzIp::Spread;
    world.prefix(device, "45.33.200.0/29", PrefixSource::Own);
    world.user(device, "7.0.0.1", UserType::IbrlWithAllocatedIp);
    assert_eq!(
        world.actions(),
        ["user 7.0.0.1 -> 45.33.100.1: activate-user tunnel 169.254.0.0/31, id 500, dz_ip 45.33.200.1"]
    );
}

/// Each pool that can be exhausted, and the reason its user sees.
#[rstest]
#[case::addresses("prefix", "device nyc1: no free address in 45.33.100.0/29 (7 of 7 in use)")]
#[case::tunnels("tunnels", "no free tunnel network in 169.254.0.0/29 (4 of 4 in use)")]
#[case::ids("ids", "device nyc1: no free tunnel id in 500 to 503 (4 of 4 in use)")]
fn when_nothing_is_left_the_user_hears_what_and_waits_or_goes(#[case] used_up: &str, #[case] reason: &str) {
    let (mut world, device) = world();
    let user = world.user(device, "7.0.0.1", UserType::IbrlWithAllocatedIp);
    match used_up {
        "prefix" => world.exhaust(world.pool_key(PoolKind::DevicePrefix, device, ip("45.33.100.0").into())),
        "tunnels" => world.exhaust_block(PoolKind::UserTunnelBlock, "169.254.0.0/29"),
        _ => world.exhaust(world.pool_key(PoolKind::TunnelIds, device, 500)),
    }
    let plan = world.plan();
    assert_eq!(plan.actions.len(), 1);
    assert_eq!(plan.actions[0].subject.key, user);
    assert_eq!(plan.actions[0].decision, Decision::RejectUser { reason: reason.to_owned() });
    assert_eq!(plan.actions[0].reason, reason);

    world.policy.when_full = WhenFull::Wait;
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), [format!("user 7.0.0.1 -> 45.33.100.1: pool-full: {reason}")]);
}

#[test]
fn a_publisher_without_room_is_stripped_before_it_is_rejected() {
    let (mut world, device) = world();
    world.exhaust_block(PoolKind::MulticastPublisherBlock, "148.51.120.0/31");
    let groups: Vec<_> =
        (0..13).map(|index| world.group(&format!("mg{index}"), MulticastGroupStatus::Deleting)).collect();
    let user = world.user(device, "7.0.0.1", UserType::Multicast);
    world.edit_user(user, |user| {
        user.publishers = groups.clone();
        user.subscribers = groups[..5].to_vec();
    });
    let actions: Vec<_> = world.plan().actions.into_iter().filter(|action| action.subject.key == user).collect();
    let mut sorted = groups;
    sorted.sort();
    let none =
        |groups: &[Pubkey]| Decision::StripRoles { changes: groups.iter().map(|group| (*group, NO_ROLES)).collect() };
    let reason = "publishers: no free address in 148.51.120.0/31 (2 of 2 in use)".to_owned();
    let decisions: Vec<_> = actions.into_iter().map(|action| action.decision).collect();
    assert_eq!(decisions, [none(&sorted[..12]), none(&sorted[12..]), Decision::RejectUser { reason }]);
}

#[test]
fn a_user_on_a_drained_device_is_rejected_whatever_the_policy() {
    let (mut world, device) = world();
    world.policy.when_full = WhenFull::Wait;
    world.edit_device(device, |device| device.status = DeviceStatus::Drained);
    world.user(device, "7.0.0.1", UserType::Ibrl);
    let reason = "device nyc1 is drained: it takes no new users".to_owned();
    let decisions: Vec<_> = world.plan().actions.into_iter().map(|action| action.decision).collect();
    assert_eq!(decisions, [Decision::RejectUser { reason }]);
}

#[test]
fn a_user_whose_device_is_not_there_is_left_alone() {
    let (mut world, device) = world();
    world.user(device, "7.0.0.1", UserType::Ibrl);
    world.view.set_account(device, &[]).unwrap();
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(
        world.conditions(),
        [format!("user 7.0.0.1 -> 45.33.100.1: incomplete: its device {device} is not on the chain")]
    );
}

#[test]
fn a_new_publisher_gets_an_address_and_keeps_its_tunnel() {
    let (mut world, device) = world();
    let group = Pubkey::new_from_array([9; 32]);
    let user = world.user(device, "7.0.0.1", UserType::Multicast);
    world.allocate(user, "169.254.0.6/31", 503, ("7.0.0.1", None), UserStatus::Updating);
    world.edit_user(user, |user| user.publishers = vec![group]);
    assert_eq!(
        world.actions(),
        ["user 7.0.0.1 -> 45.33.100.1: activate-user tunnel 169.254.0.6/31, id 503, dz_ip 148.51.120.0"]
    );
    assert_eq!(world.plan().actions[0].reason, "its roles changed: it publishes");
}

#[test]
fn new_publishers_of_one_plan_get_an_address_each() {
    let (mut world, device) = world();
    for (client, tunnel, id) in [("7.0.0.1", "169.254.0.0/31", 500), ("7.0.0.2", "169.254.0.2/31", 501)] {
        let user = world.user(device, client, UserType::Multicast);
        world.allocate(user, tunnel, id, (client, None), UserStatus::Updating);
        world.edit_user(user, |user| user.publishers = vec![Pubkey::new_from_array([9; 32])]);
    }
    let actions = world.actions();
    let addresses: Vec<_> = actions.iter().map(|line| line.rsplit_once(' ').unwrap().1).collect();
    assert_eq!(addresses, ["148.51.120.0", "148.51.120.1"]);
}

#[test]
fn a_publisher_no_more_gives_its_address_to_the_next_in_the_same_plan() {
    let (mut world, device) = world();
    let block = publisher_block(&world);
    let leaving = world.user(device, "7.0.0.1", UserType::Multicast);
    world.allocate(leaving, "169.254.0.0/31", 500, ("148.51.120.0", Some(block)), UserStatus::Updating);
    world.exhaust(block);
    let entering = world.user(device, "7.0.0.2", UserType::Multicast);
    world.edit_user(entering, |user| user.publishers = vec![Pubkey::new_from_array([9; 32])]);

    assert_eq!(
        world.actions(),
        [
            "user 7.0.0.1 -> 45.33.100.1: activate-user tunnel 169.254.0.0/31, id 500, dz_ip 7.0.0.1",
            "user 7.0.0.2 -> 45.33.100.1: activate-user tunnel 169.254.0.2/31, id 501, dz_ip 148.51.120.0",
        ]
    );
    assert_eq!(world.plan().actions[0].reason, "its roles changed: it does not publish");
}

#[test]
fn one_that_starts_to_publish_gets_the_address_of_one_that_stops_whoever_comes_first() {
    let (mut world, device) = world();
    let block = publisher_block(&world);
    world.exhaust(block);
    let users = [("7.0.0.1", "169.254.0.0/31", 500), ("7.0.0.2", "169.254.0.2/31", 501)];
    let mut users = users.map(|(client, tunnel, id)| {
        let user = world.user(device, client, UserType::Multicast);
        world.allocate(user, tunnel, id, (client, None), UserStatus::Updating);
        user
    });
    for [stops, starts] in [users, {
        users.reverse();
        users
    }] {
        let mut world = world.clone();
        world.edit_user(stops, |user| {
            let held = user.allocation.as_mut().unwrap();
            (held.dz_ip, held.dz_ip_pool) = (ip("148.51.120.0"), Some(block));
        });
        world.edit_user(starts, |user| user.publishers = vec![Pubkey::new_from_array([9; 32])]);
        let reasons: Vec<_> = world.plan().actions.into_iter().map(|action| action.reason).collect();
        assert_eq!(reasons, ["its roles changed: it does not publish", "its roles changed: it publishes"]);
        let addresses = world.actions();
        assert!(addresses[1].ends_with("dz_ip 148.51.120.0"), "{addresses:?}");
    }
}

#[test]
fn a_publisher_that_changed_its_mind_keeps_what_it_has() {
    let (mut world, device) = world();
    let block = publisher_block(&world);
    let user = world.user(device, "7.0.0.1", UserType::Multicast);
    world.allocate(user, "169.254.0.0/31", 500, ("148.51.120.1", Some(block)), UserStatus::Updating);
    world.edit_user(user, |user| user.publishers = vec![Pubkey::new_from_array([9; 32])]);
    assert_eq!(
        world.actions(),
        ["user 7.0.0.1 -> 45.33.100.1: activate-user tunnel 169.254.0.0/31, id 500, dz_ip 148.51.120.1"]
    );
}

#[test]
fn a_subscriber_that_cannot_publish_stays_a_subscriber() {
    let (mut world, device) = world();
    world.exhaust_block(PoolKind::MulticastPublisherBlock, "148.51.120.0/31");
    let (both, only) = (Pubkey::new_from_array([8; 32]), Pubkey::new_from_array([9; 32]));
    let user = world.user(device, "7.0.0.1", UserType::Multicast);
    world.allocate(user, "169.254.0.0/31", 500, ("7.0.0.1", None), UserStatus::Updating);
    world.edit_user(user, |user| {
        user.publishers = vec![both, only];
        user.subscribers = vec![both];
    });
    let decisions: Vec<_> = world.plan().actions.into_iter().map(|action| action.decision).collect();
    let silent = RoleChange { publish: Some(false), subscribe: None };
    let reason = "publishers: no free address in 148.51.120.0/31 (2 of 2 in use)".to_owned();
    assert_eq!(
        decisions,
        [Decision::StripRoles { changes: vec![(both, silent), (only, silent)] }, Decision::RejectUser { reason },]
    );
}

#[rstest]
#[case(UserStatus::Deleting, Decision::CloseUser)]
#[case(UserStatus::PendingBan, Decision::FinishBan)]
fn a_user_that_goes_is_stripped_and_makes_room_for_the_next(#[case] status: UserStatus, #[case] end: Decision) {
    let (mut world, device) = world();
    let group = Pubkey::new_from_array([9; 32]);
    let leaving = world.user(device, "7.0.0.1", UserType::Multicast);
    world.allocate(leaving, "169.254.0.0/31", 500, ("7.0.0.1", None), status);
    world.edit_user(leaving, |user| user.subscribers = vec![group]);
    world.exhaust_block(PoolKind::UserTunnelBlock, "169.254.0.0/29");
    world.exhaust(world.pool_key(PoolKind::TunnelIds, device, 500));
    let next = world.user(device, "7.0.0.2", UserType::Ibrl);

    let plan = world.plan();
    let decisions: Vec<_> = plan.actions.iter().map(|action| (action.subject.key, action.decision.clone())).collect();
    let activate = Decision::ActivateUser { tunnel_net: net("169.254.0.0/31"), tunnel_id: 500, dz_ip: ip("7.0.0.2") };
    let strip = Decision::StripRoles { changes: vec![(group, NO_ROLES)] };
    assert_eq!(decisions, [(leaving, strip), (leaving, end), (next, activate)]);
}

#[rstest]
#[case(UserStatus::Activated)]
#[case(UserStatus::Rejected)]
#[case(UserStatus::Banned)]
fn a_user_that_waits_for_nothing_is_left_alone(#[case] status: UserStatus) {
    let (mut world, device) = world();
    let user = world.user(device, "7.0.0.1", UserType::Ibrl);
    world.edit_user(user, |user| user.status = status);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), NOTHING);
}

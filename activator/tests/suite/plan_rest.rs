//! Plans for links, tenants and groups, and what holds for every plan.

use dz_activator::{Plan, plan};
use dz_sdk::program::state::{
    AccountData, Bootstrap, ContributorStatus, GroupAddress, InterfaceStatus, LinkNetwork, LinkStatus,
    MulticastGroupStatus, PoolKind, TenantStatus, UserStatus, UserType,
};
use proptest::{collection::vec, prelude::*};
use solana_pubkey::Pubkey;

use crate::world::{World, config_key, ip, net};

const NOTHING: [&str; 0] = [];

fn world_with_ends() -> (World, [(Pubkey, Pubkey); 2]) {
    let mut world = World::new();
    let ends = [("nyc1", "45.33.100.0/29"), ("pit1", "45.33.101.0/29")].map(|(code, prefix)| {
        let device = world.ready_device(code, prefix);
        (device, world.interface(device, "Ethernet1/1", InterfaceStatus::Activated, None))
    });
    (world, ends)
}

#[test]
fn an_uninitialised_chain_is_waited_for() {
    let world = World::empty();
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["the global config: incomplete: the chain is not initialised yet"]);
}

#[test]
fn a_link_gets_a_network_after_its_interfaces() {
    let (mut world, mut ends) = world_with_ends();
    ends[0].1 = world.interface(ends[0].0, "Ethernet1/2", InterfaceStatus::Pending, None);
    world.link("nyc-pit", LinkStatus::Pending, ends);
    assert_eq!(
        world.actions(),
        ["interface nyc1/Ethernet1/2: activate-interface", "link nyc-pit: activate-link network 172.16.0.0/31"]
    );
}

#[test]
fn links_roll_over_and_wait_when_nothing_is_left() {
    let (mut world, ends) = world_with_ends();
    world.exhaust_block(PoolKind::DeviceTunnelBlock, "172.16.0.0/30");
    world.link("nyc-pit", LinkStatus::Pending, ends);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["link nyc-pit: pool-full: no free network in 172.16.0.0/30 (2 of 2 in use)"]);
    world.block(PoolKind::DeviceTunnelBlock, "172.17.0.0/30");
    assert_eq!(world.actions(), ["link nyc-pit: activate-link network 172.17.0.0/31"]);
}

#[test]
fn a_link_on_an_interface_that_goes_is_not_activated() {
    let (mut world, ends) = world_with_ends();
    world.link("nyc-pit", LinkStatus::Pending, ends);
    let mut interface = world.view.interface(&ends[1].1).unwrap().clone();
    interface.status = InterfaceStatus::Deleting;
    world.put(ends[1].1, &interface);
    assert_eq!(world.actions(), ["interface pit1/Ethernet1/1: close-interface"]);
    assert_eq!(world.conditions(), ["link nyc-pit: out-of-use: an interface that it ends on is going away"]);
}

#[test]
fn a_link_that_goes_makes_room_in_the_same_plan() {
    let (mut world, ends) = world_with_ends();
    let leaving = world.link("old", LinkStatus::Deleting, ends);
    let mut link = world.view.link(&leaving).unwrap().clone();
    let held = net("172.16.0.2/31");
    link.network = Some(LinkNetwork { net: held, pool: world.global_pool(PoolKind::DeviceTunnelBlock, held) });
    world.put(leaving, &link);
    world.exhaust_block(PoolKind::DeviceTunnelBlock, "172.16.0.0/30");
    world.link("new", LinkStatus::Pending, ends);
    assert_eq!(world.actions(), ["link old: close-link", "link new: activate-link network 172.16.0.2/31"]);
}

#[test]
fn drained_and_requested_links_are_left_alone() {
    let (mut world, ends) = world_with_ends();
    for (code, status) in [
        ("a", LinkStatus::Requested),
        ("b", LinkStatus::Activated),
        ("c", LinkStatus::SoftDrained),
        ("d", LinkStatus::HardDrained),
    ] {
        world.link(code, status, ends);
    }
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), NOTHING);
}

#[test]
fn tenants_get_the_ids_after_the_reserved_ones_and_give_them_back() {
    let mut world = World::new();
    world.tenant("solana", TenantStatus::Pending, None);
    assert_eq!(world.actions(), ["tenant solana: activate-tenant vrf 3"]);

    let ids = world.pool_key(PoolKind::VrfIds, config_key(), 1);
    world.take(ids, 3);
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["tenant solana: pool-full: no free VRF id in 1 to 3 (1 of 1 in use)"]);

    world.tenant("leaving", TenantStatus::Deleting, Some(3));
    assert_eq!(world.actions(), ["tenant leaving: close-tenant", "tenant solana: activate-tenant vrf 3"]);
}

#[test]
fn groups_get_addresses_and_give_them_back() {
    let mut world = World::new();
    world.group("mg01", MulticastGroupStatus::Pending);
    assert_eq!(world.actions(), ["group mg01: activate-multicast-group address 233.84.178.0"]);

    world.exhaust_block(PoolKind::MulticastGroupBlock, "233.84.178.0/31");
    assert_eq!(world.actions(), NOTHING);
    assert_eq!(world.conditions(), ["group mg01: pool-full: no free group address in 233.84.178.0/31 (2 of 2 in use)"]);

    let leaving = world.group("mg02", MulticastGroupStatus::Deleting);
    let mut group = world.view.group(&leaving).unwrap().clone();
    let pool = world.global_pool(PoolKind::MulticastGroupBlock, net("233.84.178.0/31"));
    group.address = Some(GroupAddress { ip: ip("233.84.178.1"), pool });
    world.put(leaving, &group);
    assert_eq!(
        world.actions(),
        ["group mg02: close-multicast-group", "group mg01: activate-multicast-group address 233.84.178.1"]
    );
}

/// A chain with one thing of each kind in each state that the activator looks at.
fn everything() -> World {
    let (mut world, ends) = world_with_ends();
    for (code, status) in [("l1", LinkStatus::Pending), ("l2", LinkStatus::Deleting)] {
        world.link(code, status, ends);
    }
    world.device("carve", Bootstrap::Carve { prefix_len: 28 });
    world.device("own", Bootstrap::OwnEndpoints);
    world.tenant("t1", TenantStatus::Pending, None);
    world.tenant("t2", TenantStatus::Deleting, None);
    let group = world.group("g1", MulticastGroupStatus::Pending);
    world.group("g2", MulticastGroupStatus::Deleting);
    let leaving = world.contributor("old", ContributorStatus::Deleting);
    world.contributor_block(leaving, "148.51.0.0/24");
    for (client, user_type) in
        [("7.0.0.1", UserType::Ibrl), ("7.0.0.2", UserType::IbrlWithAllocatedIp), ("7.0.0.3", UserType::Multicast)]
    {
        let user = world.user(ends[0].0, client, user_type);
        world.edit_user(user, |user| {
            if user_type.is_multicast() {
                user.publishers = vec![group];
            }
        });
    }
    let user = world.user(ends[1].0, "7.0.0.4", UserType::Ibrl);
    world.allocate(user, "169.254.0.0/31", 500, ("7.0.0.4", None), UserStatus::Deleting);
    world
}

/// The addresses of all accounts.
fn keys(world: &World) -> Vec<Pubkey> {
    let view = &world.view;
    let mut keys = vec![config_key()];
    keys.extend(view.pools().keys());
    keys.extend(view.contributors().keys());
    keys.extend(view.devices().keys());
    keys.extend(view.interfaces().keys());
    keys.extend(view.links().keys());
    keys.extend(view.tenants().keys());
    keys.extend(view.groups().keys());
    keys.extend(view.users().keys());
    keys
}

proptest! {
    /// A view of a chain can lack any account, for a notification got lost or a replica lags. There is a plan for it
    /// nonetheless, the same each time, and every action of it that touches a missing account is an error of its own.
    #[test]
    fn there_is_a_plan_for_every_view(missing in vec(any::<prop::sample::Index>(), 0..12)) {
        let mut world = everything();
        let keys = keys(&world);
        for index in missing {
            world.view.set_account(*index.get(&keys), &[]).unwrap();
        }
        let first: Plan = world.plan();
        prop_assert_eq!(&first, &plan(&world.view, &world.policy));
        for action in &first.actions {
            let _ = dz_activator::instruction(&world.view, &Pubkey::new_from_array([2; 32]), action);
        }
    }

    /// A pool that disagrees with the things is no reason to stop.
    #[test]
    fn there_is_a_plan_for_every_bitmap(pool in any::<prop::sample::Index>(), bits in any::<u8>()) {
        let mut world = everything();
        let pools: Vec<_> = world.view.pools().keys().copied().collect();
        let key = *pool.get(&pools);
        let mut pool = world.view.pool(&key).unwrap().clone();
        let unused = 8 * pool.bitmap.len() as u32 - pool.count;
        if let Some(last) = pool.bitmap.last_mut() {
            *last = bits & (u8::MAX >> unused);
        }
        if world.view.set_account(key, &pool.encode()).is_ok() {
            world.plan();
        }
    }
}

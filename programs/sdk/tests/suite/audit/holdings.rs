//! Units of pools: those that nobody holds, that are held and free, and that are held twice.

use std::collections::BTreeSet;

use dz_serviceability::state::{
    Contributor, Device, Interface, MulticastGroup, MulticastGroupStatus, Pool, PoolKind, Tenant, TenantStatus,
    UserAllocation,
};

use super::chain::{ANOTHER, Chain, free, ip, lost, net};

#[test]
fn a_unit_of_any_pool_that_leaks_or_is_freed_under_its_holder_is_found() {
    let sound = Chain::sound();
    let mut kinds = BTreeSet::new();
    for (key, pool) in sound.view.pools() {
        let (name, kind) = (sound.name(key), pool.kind);
        if let Ok(unit) = pool.lowest_free(1) {
            let lost = lost(&name, &[kind.show(unit)]);
            sound.broken(|c| c.change(&name, |it: &mut Pool| it.claim(unit, 1).unwrap()), [&lost]);
        }
        // The last entry of a registry is another case.
        if let Some(unit) = pool.taken().next().filter(|_| pool.used() > 1 || !is_registry(pool)) {
            let free = free(&name, &[kind.show(unit)]);
            sound.broken(|c| c.change(&name, |it: &mut Pool| it.release(unit, 1).unwrap()), [&free]);
            kinds.insert(kind);
        }
    }
    // Nothing holds a unit of the brought prefix.
    assert_eq!(kinds.len(), 12);
}

pub(super) fn is_registry(pool: &Pool) -> bool {
    matches!(pool.kind, PoolKind::AddressRegistry | PoolKind::ClientAddresses)
}

#[test]
fn a_registry_without_an_entry_is_found() {
    let sound = Chain::sound();
    let own = u32::from(ip("9.0.3.1"));
    sound.broken(
        |c| c.change("config address-registry 9.0.3.0", |it: &mut Pool| it.release(own, 1).unwrap()),
        [
            "config address-registry 9.0.3.0: a registry without an entry",
            &free("config address-registry 9.0.3.0", &["9.0.3.1"]),
        ],
    );
    let empty = |kind| Pool::new(kind, sound.key("config"), ip("9.9.9.0").into(), 1, 256, 0);
    sound.broken(|c| c.put(ANOTHER, &empty(PoolKind::AddressRegistry)), ["another: a registry without an entry"]);
    sound.broken(|c| c.put(ANOTHER, &empty(PoolKind::ClientAddresses)), ["another: a registry without an entry"]);
}

#[test]
fn what_a_holder_lets_go_is_found_in_its_pool() {
    let sound = Chain::sound();
    let all = |prefix: &str, count: u32| -> Vec<_> { (0..count).map(|last| format!("{prefix}.{last}")).collect() };
    let block = all("45.33.3", 256);
    sound.broken(
        |c| c.change("co", |it: &mut Contributor| it.blocks.clear()),
        [
            &lost("config address-registry 45.33.3.0", &block),
            &lost("config double-zero-block 45.33.0.0", &["45.33.3.0"]),
            "co contributor-block 45.33.3.0: a pool belongs to nothing",
        ],
    );
    let brought = all("9.7.0", 16);
    sound.broken(
        |c| c.change("co", |it: &mut Contributor| it.prefixes.clear()),
        [
            &lost("config address-registry 9.7.0.0", &brought),
            "co contributor-prefix 9.7.0.0: a pool belongs to nothing",
        ],
    );
    let own = all("9.0.1", 8);
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.prefixes.truncate(1)),
        [&lost("config address-registry 9.0.1.0", &own), "nyc1 device-prefix 9.0.1.0: a pool belongs to nothing"],
    );
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.prefixes = it.prefixes.split_off(1)),
        [
            &lost("co contributor-block 45.33.3.0", &["45.33.3.0"]),
            "nyc1 device-prefix 45.33.3.0: a pool belongs to nothing",
        ],
    );
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.public_ip = ip("9.0.0.3")),
        [
            &free("config address-registry 9.0.0.0", &["9.0.0.3"]),
            &lost("config address-registry 9.0.0.0", &["9.0.0.1"]),
        ],
    );
    sound.broken(
        |c| c.change("nyc2 Loopback150", |it: &mut Interface| it.loopback_number = None),
        [&lost("nyc2 endpoint-loopbacks", &["150"])],
    );
    sound.broken(
        |c| c.change("acme", |it: &mut Tenant| it.vrf_id = Some(3)),
        [&free("config vrf-ids", &["3"]), &lost("config vrf-ids", &["2"])],
    );
}

#[test]
fn what_two_hold_is_found() {
    let sound = Chain::sound();
    let user = |change: fn(&mut UserAllocation)| move |c: &mut Chain| c.change_allocation("user filtered", change);
    sound.broken(
        user(|it| it.tunnel_net = net("169.254.0.0/31")),
        [
            &lost("config user-tunnel-block 169.254.0.0", &["169.254.0.10"]),
            "user filtered: 169.254.0.0 of the user-tunnel-block is held twice",
        ],
    );
    sound.broken(
        user(|it| it.tunnel_id = 500),
        [&lost("nyc1 tunnel-ids", &["505"]), "user filtered: 500 of the tunnel-ids is held twice"],
    );
    sound.broken(
        user(|it| it.dz_ip = ip("45.33.3.1")),
        [
            &lost("nyc1 device-prefix 45.33.3.0", &["45.33.3.3"]),
            "user filtered: 45.33.3.1 of the device-prefix is held twice",
            "user filtered: has 45.33.3.1 as dz_ip, which nyc1 Loopback100 has as address",
        ],
    );
    sound.broken(
        |c| c.change("nyc1 Loopback101", |it: &mut Interface| it.loopback_number = Some(100)),
        ["nyc1 Loopback100: 100 of the endpoint-loopbacks is held twice", &lost("nyc1 endpoint-loopbacks", &["101"])],
    );
    sound.broken(
        |c| c.change("nyc2", |it: &mut Device| it.public_ip = ip("9.0.0.1")),
        [
            &lost("config address-registry 9.0.0.0", &["9.0.0.2"]),
            "nyc2 Ethernet9: that it has the public_ip is false, counted true",
            "nyc2: 9.0.0.1 of the address-registry is held twice",
            "nyc2: has 9.0.0.1 as public address, which nyc1 has as public address",
        ],
    );
    let of_acme = |it: &mut Tenant| (it.status, it.vrf_id) = (TenantStatus::Activated, Some(2));
    sound.broken(|c| c.change("idle", of_acme), ["idle: 2 of the vrf-ids is held twice"]);
    let address = sound.get::<MulticastGroup>("mg01").address;
    let of_mg01 = |it: &mut MulticastGroup| (it.status, it.address) = (MulticastGroupStatus::Activated, address);
    sound.broken(|c| c.change("mg02", of_mg01), ["mg01: 233.84.178.0 of the multicast-group-block is held twice"]);
}

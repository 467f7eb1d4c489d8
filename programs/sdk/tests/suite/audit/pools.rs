//! Pools that are not there, that belong to nothing, and that are not their holders'.

use dz_sdk::NetworkView;
use dz_serviceability::state::{AddressSource, Device, Interface, Link, MulticastGroup, Pool, PrefixSource};

use super::{
    chain::{ANOTHER, Chain, free, ip, lost, net},
    holdings::is_registry,
};

#[test]
fn a_holder_in_another_pool_than_its_own_is_found() {
    let sound = Chain::sound();
    let [users, links] = ["config user-tunnel-block 169.254.0.0", "config device-tunnel-block 172.16.0.0"];
    let [users, links] = [users, links].map(|name| sound.key(name));
    sound.broken(
        |c| c.change_allocation("user unicast", |it| it.tunnel_pool = links),
        [
            &free("config device-tunnel-block 172.16.0.0", &["169.254.0.0"]),
            &lost("config user-tunnel-block 169.254.0.0", &["169.254.0.0"]),
            "user unicast: holds 169.254.0.0/31 of a pool that is not for it",
        ],
    );
    sound.broken(
        |c| c.change_allocation("user allocated", |it| it.dz_ip_pool = Some(users)),
        [
            &lost("nyc1 device-prefix 9.0.1.0", &["9.0.1.1"]),
            "user allocated: holds 9.0.1.1/32 of a pool that is not for it",
            "user allocated: holds a part of a unit of the user-tunnel-block",
        ],
    );
    sound.broken(
        |c| c.change_allocation("user publisher", |it| it.dz_ip_pool = Some(users)),
        [
            &lost("config multicast-publisher-block 148.51.120.0", &["148.51.120.0"]),
            "user publisher: holds 148.51.120.0/32 of a pool that is not for it",
            "user publisher: holds a part of a unit of the user-tunnel-block",
        ],
    );
    sound.broken(
        |c| c.change("backbone", |it: &mut Link| it.network.as_mut().unwrap().pool = users),
        [
            "backbone: holds 172.16.0.0/31 of a pool that is not for it",
            &lost("config device-tunnel-block 172.16.0.0", &["172.16.0.0"]),
            &free("config user-tunnel-block 169.254.0.0", &["172.16.0.0"]),
        ],
    );
    sound.broken(
        |c| c.change("mg01", |it: &mut MulticastGroup| it.address.as_mut().unwrap().pool = users),
        [
            &lost("config multicast-group-block 233.84.178.0", &["233.84.178.0"]),
            "mg01: holds 233.84.178.0/32 of a pool that is not for it",
            "mg01: holds a part of a unit of the user-tunnel-block",
        ],
    );
    let pulled = AddressSource::Pulled { pool: users };
    let pull = |it: &mut Interface| it.address.as_mut().unwrap().source = pulled;
    sound.broken(
        |c| c.change("nyc1 Loopback100", pull),
        [
            "nyc1 Loopback100: holds 45.33.3.1/32 of a pool that is not for it",
            "nyc1 Loopback100: holds a part of a unit of the user-tunnel-block",
            &lost("nyc1 device-prefix 45.33.3.0", &["45.33.3.1"]),
        ],
    );
    let carve = |it: &mut Device| it.prefixes[0].source = PrefixSource::Carved { pool: users };
    sound.broken(
        |c| c.change("nyc1", carve),
        [
            &lost("co contributor-block 45.33.3.0", &["45.33.3.0"]),
            &free("config user-tunnel-block 169.254.0.0", &["45.33.3.0", "45.33.3.2", "45.33.3.4", "45.33.3.6"]),
            "nyc1: holds 45.33.3.0/29 of a pool that is not for it",
        ],
    );
    // The right kind, and another's.
    let other = sound.key("other");
    sound.broken(
        |c| c.change("co contributor-block 45.33.3.0", |it: &mut Pool| it.owner = other),
        [
            "co contributor-block 45.33.3.0: a pool belongs to nothing",
            "co: its contributor-block from 45.33.3.0 on is missing",
            "nyc1: holds 45.33.3.0/29 of a pool that is not for it",
        ],
    );
}

/// A prefix may be a share of what its contributor brings, too.
#[test]
fn a_prefix_is_carved_out_of_brought_space_or_of_a_block() {
    let sound = Chain::sound();
    let brought = "co contributor-prefix 9.7.0.0";
    let pool = sound.key(brought);
    sound.broken(
        |c| {
            c.change("nyc1", |it: &mut Device| it.prefixes[0].source = PrefixSource::Carved { pool });
            c.change("nyc1", |it: &mut Device| it.prefixes[0].net = net("9.7.0.8/29"));
            c.change(brought, |it: &mut Pool| it.claim(u32::from(ip("9.7.0.8")), 8).unwrap());
        },
        [
            &lost("co contributor-block 45.33.3.0", &["45.33.3.0"]),
            "nyc1 device-prefix 45.33.3.0: a pool belongs to nothing",
            "nyc1: its device-prefix from 9.7.0.8 on is missing",
        ],
    );
}

#[test]
fn a_part_of_a_unit_is_found() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.prefixes[0].net = net("45.33.3.0/30")),
        [
            &lost("co contributor-block 45.33.3.0", &["45.33.3.0"]),
            "nyc1: holds a part of a unit of the contributor-block",
        ],
    );
    sound.broken(
        |c| c.change_allocation("user unicast", |it| it.tunnel_net = net("169.254.0.0/32")),
        [
            &lost("config user-tunnel-block 169.254.0.0", &["169.254.0.0"]),
            "user unicast: holds a part of a unit of the user-tunnel-block",
            "user unicast: the length of its network is 32, counted 31",
        ],
    );
}

#[test]
fn a_pool_that_is_not_there_is_found_with_its_holders() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.close("config double-zero-block 45.33.0.0"),
        [
            "co: holds 45.33.3.0/24 of a pool that is not there",
            "config: its double-zero-block from 45.33.0.0 on is missing",
        ],
    );
    sound.broken(
        |c| c.close("config user-tunnel-block 169.254.0.0"),
        [
            "config: its user-tunnel-block from 169.254.0.0 on is missing",
            "user allocated: holds 169.254.0.8/31 of a pool that is not there",
            "user filtered: holds 169.254.0.10/31 of a pool that is not there",
            "user pending ban: holds 169.254.0.18/31 of a pool that is not there",
            "user publisher: holds 169.254.0.4/31 of a pool that is not there",
            "user subscriber: holds 169.254.0.6/31 of a pool that is not there",
            "user tenant: holds 169.254.0.2/31 of a pool that is not there",
            "user unicast: holds 169.254.0.0/31 of a pool that is not there",
        ],
    );
    sound.broken(
        |c| c.close("config device-tunnel-block 172.16.0.0"),
        [
            "backbone: holds 172.16.0.0/31 of a pool that is not there",
            "config: its device-tunnel-block from 172.16.0.0 on is missing",
        ],
    );
    sound.broken(
        |c| c.close("config multicast-group-block 233.84.178.0"),
        [
            "config: its multicast-group-block from 233.84.178.0 on is missing",
            "mg01: holds 233.84.178.0/32 of a pool that is not there",
        ],
    );
    sound.broken(
        |c| c.close("config multicast-publisher-block 148.51.120.0"),
        [
            "config: its multicast-publisher-block from 148.51.120.0 on is missing",
            "user publisher: holds 148.51.120.0/32 of a pool that is not there",
        ],
    );
    sound.broken(
        |c| c.close("config address-registry 9.0.3.0"),
        ["nyc2 Loopback150: holds 9.0.3.1/32 of a pool that is not there"],
    );
    sound.broken(
        |c| c.close("config client-addresses 9.128.0.0"),
        [
            "user allocated: holds 9.128.0.4/32 of a pool that is not there",
            "user filtered: holds 9.128.0.5/32 of a pool that is not there",
            "user pending ban: holds 9.128.0.9/32 of a pool that is not there",
            "user pending: holds 9.128.0.6/32 of a pool that is not there",
            "user publisher: holds 9.128.0.3/32 of a pool that is not there",
            "user tenant: holds 9.128.0.2/32 of a pool that is not there",
            "user unicast: holds 9.128.0.1/32 of a pool that is not there",
        ],
    );
    sound.broken(
        |c| c.close("config vrf-ids"),
        ["acme: holds 2 of a pool that is not there", "config: its vrf-ids from 1 on is missing"],
    );
    sound.broken(
        |c| c.close("co contributor-block 45.33.3.0"),
        [
            "co: its contributor-block from 45.33.3.0 on is missing",
            "nyc1: holds 45.33.3.0/29 of a pool that is not there",
        ],
    );
    sound.broken(
        |c| c.close("co contributor-prefix 9.7.0.0"),
        ["co: its contributor-prefix from 9.7.0.0 on is missing"],
    );
    sound.broken(
        |c| c.close("nyc1 device-prefix 45.33.3.0"),
        [
            "nyc1 Loopback100: holds 45.33.3.1/32 of a pool that is not there",
            "nyc1 Loopback101: holds 45.33.3.2/32 of a pool that is not there",
            "nyc1: its device-prefix from 45.33.3.0 on is missing",
            "user filtered: holds 45.33.3.3/32 of a pool that is not there",
        ],
    );
    sound.broken(
        |c| c.close("nyc1 tunnel-ids"),
        [
            "nyc1: its tunnel-ids from 500 on is missing",
            "user allocated: holds 504 of a pool that is not there",
            "user filtered: holds 505 of a pool that is not there",
            "user publisher: holds 502 of a pool that is not there",
            "user subscriber: holds 503 of a pool that is not there",
            "user unicast: holds 500 of a pool that is not there",
        ],
    );
    sound.broken(
        |c| c.close("nyc1 endpoint-loopbacks"),
        [
            "nyc1 Loopback100: holds 100 of a pool that is not there",
            "nyc1 Loopback101: holds 101 of a pool that is not there",
            "nyc1: its endpoint-loopbacks from 100 on is missing",
        ],
    );
}

#[test]
fn a_pool_of_nothing_is_found() {
    let sound = Chain::sound();
    for (_, pool) in sound.view.pools().iter().filter(|(_, pool)| !is_registry(pool)) {
        let empty = Pool::new(pool.kind, ANOTHER, pool.base, pool.unit, pool.count, pool.reserved);
        sound.broken(|c| c.put(ANOTHER, &empty), ["another: a pool belongs to nothing"]);
    }
    // A second one of the same place is one too many.
    sound.broken(
        |c| c.put(ANOTHER, &c.get::<Pool>("config vrf-ids")),
        ["another: vrf-ids: taken, and nobody holds it: [\"2\"]", "config vrf-ids: a pool belongs to nothing"],
    );
}

#[test]
fn an_empty_chain_is_sound() {
    assert_eq!(dz_sdk::audit::audit(&NetworkView::new(dz_serviceability::ID)), []);
}

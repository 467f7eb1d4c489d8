//! Public addresses across kinds, and where clients must not come from.

use dz_serviceability::{
    network::NetworkV4,
    state::{AddressSource, Contributor, Device, GlobalConfig, Interface, InterfaceAddress, User},
};

use super::chain::{Chain, ip, lost, net};

#[test]
fn an_address_of_two_kinds_is_found() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.public_ip = ip("9.0.0.2")),
        [
            &lost("config address-registry 9.0.0.0", &["9.0.0.1"]),
            "nyc2: 9.0.0.2 of the address-registry is held twice",
            "nyc2: has 9.0.0.2 as public address, which nyc1 has as public address",
        ],
    );
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.public_ip = ip("9.0.3.1")),
        [
            &lost("config address-registry 9.0.0.0", &["9.0.0.1"]),
            "nyc2 Loopback150: 9.0.3.1 of the address-registry is held twice",
            "nyc2 Loopback150: has 9.0.3.1 as address, which nyc1 has as public address",
        ],
    );
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.public_ip = ip("9.128.0.1")),
        [
            &lost("config address-registry 9.0.0.0", &["9.0.0.1"]),
            "nyc1: holds 9.128.0.1/32 of a pool that is not there",
            "user unicast: has 9.128.0.1 as client_ip, which nyc1 has as public address",
            "user unicast: has 9.128.0.1 as dz_ip, which nyc1 has as public address",
        ],
    );
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.public_ip = ip("148.51.120.0")),
        [
            &lost("config address-registry 9.0.0.0", &["9.0.0.1"]),
            "nyc1: brings 148.51.120.0, which lies in block 148.51.120.0/24",
            "nyc1: holds 148.51.120.0/32 of a pool that is not there",
            "user publisher: has 148.51.120.0 as dz_ip, which nyc1 has as public address",
        ],
    );
    let own = |address| InterfaceAddress { ip: ip(address), source: AddressSource::Own };
    let address = |address| move |it: &mut Interface| it.address = Some(own(address));
    sound.broken(
        |c| c.change("nyc1 Ethernet1", address("9.128.0.1")),
        [
            "nyc1 Ethernet1: holds 9.128.0.1/32 of a pool that is not there",
            "user unicast: has 9.128.0.1 as client_ip, which nyc1 Ethernet1 has as address",
            "user unicast: has 9.128.0.1 as dz_ip, which nyc1 Ethernet1 has as address",
        ],
    );
    sound.broken(
        |c| c.change("nyc1 Ethernet1", address("9.0.1.1")),
        [
            "nyc1 Ethernet1: 9.0.1.1 of the address-registry is held twice",
            "user allocated: has 9.0.1.1 as dz_ip, which nyc1 Ethernet1 has as address",
        ],
    );
}

/// One client's address in several roles, or in several users', is its own.
#[test]
fn an_address_of_two_clients_is_found() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change_allocation("user unicast", |it| it.dz_ip = ip("9.128.0.2")),
        [
            "user tenant: has 9.128.0.2 as client_ip, which user unicast has as dz_ip",
            "user tenant: has 9.128.0.2 as dz_ip, which user unicast has as dz_ip",
            "user unicast: has a dz_ip that is neither its own address nor from a pool",
        ],
    );
    // One that is not live has no address.
    let left = |name: &'static str| move |c: &mut Chain| c.change(name, |it: &mut User| it.client_ip = ip("9.0.0.1"));
    sound.fine(left("user rejected"));
    sound.fine(left("user banned"));
}

/// Adds a block that no instruction would add.
fn around(list: fn(&mut GlobalConfig) -> &mut Vec<NetworkV4>, block: &str) -> impl Fn(&mut Chain) {
    move |c: &mut Chain| c.change("config", |it: &mut GlobalConfig| list(it).push(net(block)))
}

/// But for addresses out of a device's prefix, and of the device itself.
#[test]
fn what_is_brought_lies_in_no_block() {
    let sound = Chain::sound();
    sound.broken(
        around(|it| &mut it.double_zero_blocks, "9.0.0.0/22"),
        [
            "config: its double-zero-block from 9.0.0.0 on is missing",
            "nyc1: brings 9.0.0.1, which lies in block 9.0.0.0/22",
            "nyc1: brings 9.0.1.0/29, which lies in block 9.0.0.0/22",
            "nyc2: brings 9.0.0.2, which lies in block 9.0.0.0/22",
            "nyc2 Loopback150: brings 9.0.3.1, which lies in block 9.0.0.0/22",
        ],
    );
    sound.broken(
        around(|it| &mut it.multicast_publisher_blocks, "9.7.0.4/31"),
        [
            "config: its multicast-publisher-block from 9.7.0.4 on is missing",
            "co: brings 9.7.0.0/28, which lies in block 9.7.0.4/31",
        ],
    );
}

#[test]
fn a_client_connects_from_outside_of_blocks() {
    let sound = Chain::sound();
    sound.broken(
        around(|it| &mut it.double_zero_blocks, "9.128.0.0/30"),
        [
            "config: its double-zero-block from 9.128.0.0 on is missing",
            "user publisher: connects from 9.128.0.3, which lies in block 9.128.0.0/30",
            "user subscriber: connects from 9.128.0.3, which lies in block 9.128.0.0/30",
            "user tenant: connects from 9.128.0.2, which lies in block 9.128.0.0/30",
            "user unicast: connects from 9.128.0.1, which lies in block 9.128.0.0/30",
        ],
    );
    sound.broken(
        around(|it| &mut it.multicast_publisher_blocks, "9.128.0.6/32"),
        [
            "config: its multicast-publisher-block from 9.128.0.6 on is missing",
            "user pending: connects from 9.128.0.6, which lies in block 9.128.0.6/32",
        ],
    );
    let block = |c: &mut Chain| c.change("co", |it: &mut Contributor| it.blocks.push(net("9.128.0.1/32")));
    sound.broken(
        block,
        [
            "co: holds 9.128.0.1/32 of a pool that is not there",
            "co: holds 9.128.0.1/32 of a pool that is not there",
            "co: its contributor-block from 9.128.0.1 on is missing",
            "user unicast: connects from 9.128.0.1, which lies in 9.128.0.1/32 of co",
        ],
    );
    sound.fine(|c| c.change("user rejected", |it: &mut User| it.client_ip = ip("45.33.3.7")));
}

//! Interfaces: their device, address and link, and what stands for a device's public address.

use dz_serviceability::state::{AddressSource, Device, Interface, InterfaceAddress, InterfaceStatus, Pool};

use super::chain::{ANOTHER, Chain, free, ip, lost};

#[test]
fn an_interface_of_no_device_is_found() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("nyc2 Ethernet2", |it: &mut Interface| it.device = ANOTHER),
        ["nyc2 Ethernet2: is an interface of no device", "nyc2: the count of interfaces is 4, counted 3"],
    );
}

#[test]
fn two_interfaces_of_one_address_are_found() {
    let sound = Chain::sound();
    let own = InterfaceAddress { ip: ip("9.0.3.1"), source: AddressSource::Own };
    sound.broken(
        |c| c.change("nyc1 Ethernet1", |it: &mut Interface| it.address = Some(own)),
        [
            "nyc1 Ethernet1: 9.0.3.1 of the address-registry is held twice",
            "nyc1 Ethernet1: has 9.0.3.1 as address, which nyc2 Loopback150 has as address",
            "nyc1 Ethernet1: has the same address as nyc2 Loopback150",
        ],
    );
}

#[test]
fn the_interface_that_stands_for_the_public_address_is_the_one_that_the_device_names() {
    let sound = Chain::sound();
    let [loopback, port] = ["nyc2 Loopback150", "nyc2 Ethernet1"].map(|name| sound.key(name));
    let name = |key| move |c: &mut Chain| c.change("nyc2", |it: &mut Device| it.public_ip_interface = key);
    sound.broken(name(None), ["nyc2 Ethernet9: that it stands for the public_ip is true, counted false"]);
    sound.broken(
        name(Some(loopback)),
        [
            "nyc2 Ethernet9: that it stands for the public_ip is true, counted false",
            "nyc2 Loopback150: that it stands for the public_ip is false, counted true",
        ],
    );
    sound.broken(
        name(Some(port)),
        [
            "nyc2 Ethernet9: that it stands for the public_ip is true, counted false",
            "nyc2: has no interface that stands for its public_ip, and names one",
        ],
    );
    sound.broken(
        name(Some(ANOTHER)),
        [
            "nyc2 Ethernet9: that it stands for the public_ip is true, counted false",
            "nyc2: has no interface that stands for its public_ip, and names one",
        ],
    );
    let ethernet9 = sound.key("nyc2 Ethernet9");
    sound.broken(
        |c| c.change("nyc1", |it: &mut Device| it.public_ip_interface = Some(ethernet9)),
        ["nyc1: has no interface that stands for its public_ip, and names one"],
    );
    // It has that address, and no other has it.
    sound.broken(
        |c| c.change("nyc2", |it: &mut Device| it.public_ip = ip("9.0.0.3")),
        [
            &free("config address-registry 9.0.0.0", &["9.0.0.3"]),
            &lost("config address-registry 9.0.0.0", &["9.0.0.2"]),
            "nyc2 Ethernet9: that it has the public_ip is false, counted true",
        ],
    );
    let own = InterfaceAddress { ip: ip("9.0.0.1"), source: AddressSource::Own };
    sound.broken(
        |c| c.change("nyc1 Ethernet1", |it: &mut Interface| it.address = Some(own)),
        [
            "nyc1 Ethernet1: 9.0.0.1 of the address-registry is held twice",
            "nyc1 Ethernet1: has 9.0.0.1 as address, which nyc1 has as public address",
            "nyc1 Ethernet1: that it has the public_ip is true, counted false",
        ],
    );
}

#[test]
fn an_endpoint_has_an_address() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("nyc1 Ethernet1", |it: &mut Interface| it.user_tunnel_endpoint = true),
        ["nyc1 Ethernet1: is an endpoint without an address"],
    );
    // An address alone makes no endpoint.
    let own = InterfaceAddress { ip: ip("9.0.3.2"), source: AddressSource::Own };
    sound.fine(|c| {
        c.change("nyc1 Ethernet1", |it: &mut Interface| it.address = Some(own));
        c.change("config address-registry 9.0.3.0", |it: &mut Pool| it.claim(own.ip.into(), 1).unwrap());
    });
}

#[test]
fn an_interface_goes_away_without_users_and_links() {
    let sound = Chain::sound();
    let delete = |name: &'static str| {
        move |c: &mut Chain| c.change(name, |it: &mut Interface| it.status = InterfaceStatus::Deleting)
    };
    sound.broken(
        delete("nyc1 Loopback100"),
        [
            "nyc1 Loopback100: goes away under a user or a link",
            "nyc1: the count of endpoints is 2, counted 1",
            "user publisher: its endpoint is None, counted Some(45.33.3.1)",
            "user unicast: its endpoint is None, counted Some(45.33.3.1)",
        ],
    );
    sound.broken(delete("nyc1 Ethernet1"), ["nyc1 Ethernet1: goes away under a user or a link"]);
    sound.fine(delete("nyc2 Ethernet2"));
}

#[test]
fn a_link_ends_on_the_interfaces_that_it_is_bound_to() {
    let sound = Chain::sound();
    let [backbone, asked] = ["backbone", "asked"].map(|name| sound.key(name));
    let bind = |name: &'static str, link| move |c: &mut Chain| c.change(name, |it: &mut Interface| it.link = link);
    sound.broken(bind("nyc1 Ethernet1", None), ["backbone: that side A is bound is false, counted true"]);
    sound.broken(bind("nyc2 Ethernet1", None), ["backbone: that side Z is bound is false, counted true"]);
    sound.broken(
        bind("nyc1 Ethernet1", Some(ANOTHER)),
        [
            "backbone: that side A is bound is false, counted true",
            "nyc1 Ethernet1: that its link ends on it is false, counted true",
        ],
    );
    sound.broken(
        bind("nyc1 Loopback100", Some(backbone)),
        ["nyc1 Loopback100: that its link ends on it is false, counted true"],
    );
    // Side Z has not accepted this one.
    sound.broken(
        bind("nyc2 Ethernet2", Some(asked)),
        [
            "asked: that side Z is bound is true, counted false",
            "nyc2 Ethernet2: that its link ends on it is false, counted true",
        ],
    );
}

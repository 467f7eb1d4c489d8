//! Links, tenants and groups: what each status allows.

use dz_serviceability::state::{
    Link, LinkDrain, LinkStatus, MulticastGroup, MulticastGroupStatus, Pool, Tenant, TenantStatus,
};

use super::chain::{Chain, ip, net};

#[test]
fn a_link_has_a_network_from_its_activation_on() {
    use LinkStatus::{Activated, Deleting, HardDrained, Pending, Requested, SoftDrained};
    let sound = Chain::sound();
    let to = |name: &'static str, status| move |c: &mut Chain| c.change(name, |it: &mut Link| it.status = status);
    sound.broken(
        to("backbone", Requested),
        [
            "backbone: that it has a network is true, counted false",
            "backbone: that it is accepted is true, counted false",
        ],
    );
    sound.broken(to("backbone", Pending), ["backbone: that it has a network is true, counted false"]);
    sound.fine(to("backbone", Deleting));
    for status in [Activated, SoftDrained, HardDrained] {
        let drain = LinkDrain::asked_by(status).unwrap();
        let set = |it: &mut Link| (it.status, it.drained_by_a) = (status, drain);
        sound.fine(|c| c.change("backbone", set));
        sound.broken(
            |c| c.change("asked", set),
            [
                "asked: that it has a network is false, counted true",
                "asked: that it is accepted is false, counted true",
            ],
        );
    }
    sound.broken(to("asked", Pending), ["asked: that it is accepted is false, counted true"]);
    sound.fine(to("asked", Deleting));
}

#[test]
fn a_link_is_drained_as_far_as_the_side_that_drains_more_wants() {
    let sound = Chain::sound();
    let set = |status, a, z| {
        move |c: &mut Chain| {
            c.change("backbone", |it: &mut Link| (it.status, it.drained_by_a, it.drained_by_z) = (status, a, z));
        }
    };
    use LinkDrain::{Hard, None, Soft};
    sound.broken(set(LinkStatus::Activated, Soft, None), ["backbone: its status is Activated, counted SoftDrained"]);
    sound.broken(set(LinkStatus::SoftDrained, None, None), ["backbone: its status is SoftDrained, counted Activated"]);
    sound
        .broken(set(LinkStatus::SoftDrained, Soft, Hard), ["backbone: its status is SoftDrained, counted HardDrained"]);
    sound.fine(set(LinkStatus::HardDrained, Soft, Hard));
    sound.fine(set(LinkStatus::Deleting, Soft, Hard));
}

#[test]
fn side_z_is_bound_exactly_when_it_has_accepted() {
    let sound = Chain::sound();
    sound.broken(
        |c| c.change("backbone", |it: &mut Link| it.accepted = false),
        [
            "backbone: that it is accepted is false, counted true",
            "backbone: that side Z is bound is true, counted false",
            "nyc2 Ethernet1: that its link ends on it is false, counted true",
            "nyc2: the count of links is 1, counted 0",
        ],
    );
    sound.broken(
        |c| c.change("asked", |it: &mut Link| it.accepted = true),
        [
            "asked: that it is accepted is true, counted false",
            "asked: that side Z is bound is false, counted true",
            "nyc2: the count of links is 1, counted 2",
        ],
    );
}

#[test]
fn the_network_of_a_link_is_a_slash_31() {
    let sound = Chain::sound();
    sound.broken(
        |c| {
            c.change("backbone", |it: &mut Link| it.network.as_mut().unwrap().net = net("172.16.0.0/30"));
            let second = u32::from(ip("172.16.0.2"));
            c.change("config device-tunnel-block 172.16.0.0", |it: &mut Pool| it.claim(second, 1).unwrap());
        },
        ["backbone: the length of its network is 30, counted 31"],
    );
}

#[test]
fn a_tenant_has_a_vrf_id_from_its_activation_on() {
    let sound = Chain::sound();
    let to = |name: &'static str, status| move |c: &mut Chain| c.change(name, |it: &mut Tenant| it.status = status);
    sound.broken(to("acme", TenantStatus::Pending), ["acme: that the VRF id fits the status is false, counted true"]);
    sound.broken(to("idle", TenantStatus::Activated), ["idle: that the VRF id fits the status is false, counted true"]);
    sound.fine(to("acme", TenantStatus::Deleting));
    sound.fine(to("idle", TenantStatus::Deleting));
}

#[test]
fn a_group_has_an_address_from_its_activation_on() {
    let sound = Chain::sound();
    let to =
        |name: &'static str, status| move |c: &mut Chain| c.change(name, |it: &mut MulticastGroup| it.status = status);
    sound.broken(
        to("mg01", MulticastGroupStatus::Pending),
        ["mg01: that the address fits the status is false, counted true"],
    );
    sound.broken(
        to("mg02", MulticastGroupStatus::Activated),
        ["mg02: that the address fits the status is false, counted true"],
    );
    sound.fine(to("mg01", MulticastGroupStatus::Deleting));
    sound.fine(to("mg02", MulticastGroupStatus::Deleting));
}

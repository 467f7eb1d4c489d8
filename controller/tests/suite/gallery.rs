//! Rendered configs of a gallery of networks, as people read them.

use std::collections::BTreeSet;

use dz_controller::render::{Network, render};
use dz_sdk::program::{
    pda,
    state::{DeviceStatus, InterfaceKind, LinkStatus, UserStatus},
};

use crate::view_builder::{Chain, Kind, NewUser, PROGRAM};

/// Compares the configs of these devices with `snapshots/config/<name>.snap`.
fn check(name: &str, chain: &Chain, devices: &[&str]) {
    let view = chain.view();
    let network = Network::new(&view, &BTreeSet::new());
    let texts: Vec<String> = devices.iter().map(|code| network.render(&chain.key(code)).unwrap().to_string()).collect();
    compare(name, &texts.join("\n"));
}

fn compare(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots/config"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn unicast<'a>(client: &'a str, device: &'a str, id: u16, tenant: Option<&'a str>) -> NewUser<'a> {
    NewUser { client, device, endpoint: 0, id, kind: Kind::Own { tenant } }
}

fn multicast<'a>(
    client: &'a str,
    device: &'a str,
    id: u16,
    publish: &'a [&'a str],
    subscribe: &'a [&'a str],
) -> NewUser<'a> {
    NewUser { client, device, endpoint: 1, id, kind: Kind::Multicast { publish, subscribe } }
}

/// nyc1, pit1 and chi1, each 10 ms from the next, nyc1 and chi1 also directly in 15 ms.
fn triangle() -> Chain {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain.device("pit1", "9.0.0.2", &["45.33.100.9", "45.33.100.10"]);
    chain.device("chi1", "9.0.0.3", &["45.33.100.17", "45.33.100.18"]);
    chain.link("nyc1-pit1", ("nyc1", "Ethernet1/1"), ("pit1", "Ethernet1/1"), 10);
    chain.link("pit1-chi1", ("pit1", "Ethernet2/1"), ("chi1", "Ethernet1/1"), 10);
    chain.link("nyc1-chi1", ("nyc1", "Ethernet2/1"), ("chi1", "Ethernet2/1"), 15);
    chain
}

#[test]
fn a_device_without_users() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    check("device-without-users", &chain, &["nyc1"]);
}

#[test]
fn a_device_being_bootstrapped() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1"]);
    chain.set_device("nyc1", DeviceStatus::Pending);
    check("device-being-bootstrapped", &chain, &["nyc1"]);
}

#[test]
fn endpoints_on_ports_and_plain_loopbacks() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &[]);
    chain.interface("nyc1", "Ethernet1", InterfaceKind::Physical, Some("9.0.0.1"), true);
    chain.interface("nyc1", "Ethernet2", InterfaceKind::Physical, Some("9.0.0.9"), true);
    chain.interface("nyc1", "Ethernet3", InterfaceKind::Physical, None, false);
    chain.interface("nyc1", "Loopback0", InterfaceKind::Loopback, Some("9.0.0.10"), false);
    chain.interface("nyc1", "Loopback7", InterfaceKind::Loopback, None, false);
    chain.user(unicast("9.1.0.1", "nyc1", 500, None));
    check("endpoints-on-ports", &chain, &["nyc1"]);
}

#[test]
fn tenants_on_one_device() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain.tenant("acme", Some(2));
    chain.tenant("umbrella", Some(3));
    chain.user(unicast("9.1.0.1", "nyc1", 500, None));
    chain.user(unicast("9.1.0.2", "nyc1", 501, Some("acme")));
    chain.user(unicast("9.1.0.3", "nyc1", 502, Some("acme")));
    let kind = Kind::Allocated { tenant: Some("umbrella"), dz_ip: "45.33.100.3" };
    chain.user(NewUser { client: "9.1.0.4", device: "nyc1", endpoint: 1, id: 503, kind });
    check("tenants-on-one-device", &chain, &["nyc1"]);
}

#[test]
fn one_client_with_two_tunnels() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain.group("mg01");
    chain.user(unicast("9.1.0.1", "nyc1", 500, None));
    chain.user(multicast("9.1.0.1", "nyc1", 501, &[], &["mg01"]));
    check("one-client-with-two-tunnels", &chain, &["nyc1"]);
}

#[test]
fn users_that_have_no_tunnel_are_not_there() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    let others =
        [UserStatus::Pending, UserStatus::Rejected, UserStatus::Deleting, UserStatus::PendingBan, UserStatus::Banned];
    for (number, status) in (500..).zip(others) {
        let client = format!("9.1.0.{}", number - 499);
        let key = chain.user(unicast(&client, "nyc1", number, None));
        chain.set_user(key, |user| user.status = status);
    }
    let without = render(&chain.view(), &chain.key("nyc1")).unwrap();
    assert_eq!((without.tunnels.len(), without.tables.len()), (0, 0));

    let key = chain.user(unicast("9.1.0.9", "nyc1", 510, None));
    chain.set_user(key, |user| user.status = UserStatus::Updating);
    let with = render(&chain.view(), &chain.key("nyc1")).unwrap();
    assert_eq!(with.tunnels.keys().copied().collect::<Vec<_>>(), [510]);
}

#[test]
fn unicast_over_the_backbone() {
    let mut chain = triangle();
    chain.tenant("acme", Some(2));
    chain.user(unicast("9.1.0.1", "nyc1", 500, None));
    chain.user(unicast("9.1.0.2", "nyc1", 501, Some("acme")));
    chain.user(unicast("9.1.0.3", "pit1", 500, None));
    chain.user(unicast("9.1.0.4", "chi1", 500, None));
    chain.user(unicast("9.1.0.5", "chi1", 501, Some("acme")));
    check("unicast-over-the-backbone", &chain, &["nyc1", "pit1", "chi1"]);
}

#[test]
fn a_soft_drained_link_is_the_last_resort() {
    let mut chain = triangle();
    chain.user(unicast("9.1.0.1", "nyc1", 500, None));
    chain.user(unicast("9.1.0.4", "chi1", 500, None));
    chain.set_link("nyc1-chi1", LinkStatus::SoftDrained);
    check("link-soft-drained", &chain, &["nyc1"]);
    chain.set_link("pit1-chi1", LinkStatus::HardDrained);
    check("link-soft-drained-and-the-only-way", &chain, &["nyc1"]);
}

#[test]
fn a_hard_drained_or_broken_link_carries_nothing() {
    let mut chain = triangle();
    chain.user(unicast("9.1.0.1", "nyc1", 500, None));
    chain.user(unicast("9.1.0.4", "chi1", 500, None));
    let broken = BTreeSet::from([pda::link(&PROGRAM, "nyc1-chi1").0]);
    let config = Network::new(&chain.view(), &broken).render(&chain.key("nyc1")).unwrap();
    compare("link-broken", &config.to_string());
    chain.set_link("nyc1-chi1", LinkStatus::HardDrained);
    check("link-hard-drained", &chain, &["nyc1"]);
}

#[test]
fn links_that_are_not_ready_are_no_way() {
    for status in [LinkStatus::Requested, LinkStatus::Pending, LinkStatus::Deleting] {
        let mut chain = triangle();
        for link in ["nyc1-pit1", "pit1-chi1", "nyc1-chi1"] {
            chain.set_link(link, status);
        }
        chain.user(unicast("9.1.0.1", "nyc1", 500, None));
        chain.user(unicast("9.1.0.4", "chi1", 500, None));
        let config = render(&chain.view(), &chain.key("nyc1")).unwrap();
        assert!(config.transit.is_empty() && config.ports.values().all(|port| port.link.is_none()), "{config}");
    }
}

#[test]
fn a_drained_device_is_shut_and_passed_through_only_in_need() {
    let mut chain = triangle();
    for (client, device) in [("9.1.0.1", "nyc1"), ("9.1.0.3", "pit1"), ("9.1.0.4", "chi1")] {
        chain.user(unicast(client, device, 500, None));
    }
    chain.set_link("nyc1-chi1", LinkStatus::HardDrained);
    chain.set_device("pit1", DeviceStatus::Drained);
    check("device-drained", &chain, &["pit1", "nyc1"]);
}

#[test]
fn of_parallel_links_the_first_by_code_is_taken() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1"]);
    chain.device("pit1", "9.0.0.2", &["45.33.100.9"]);
    chain.link("b", ("nyc1", "Ethernet1"), ("pit1", "Ethernet1"), 5);
    chain.link("a", ("nyc1", "Ethernet2"), ("pit1", "Ethernet2"), 5);
    chain.user(unicast("9.1.0.1", "nyc1", 500, None));
    chain.user(unicast("9.1.0.3", "pit1", 500, None));
    check("links-in-parallel", &chain, &["nyc1"]);
}

#[test]
fn groups_on_one_device() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain.group("mg01");
    chain.group("mg02");
    chain.user(multicast("9.1.0.1", "nyc1", 500, &["mg01"], &[]));
    chain.user(multicast("9.1.0.2", "nyc1", 501, &["mg01", "mg02"], &["mg01"]));
    chain.user(multicast("9.1.0.3", "nyc1", 502, &[], &["mg01", "mg02"]));
    chain.user(multicast("9.1.0.4", "nyc1", 503, &[], &[]));
    check("groups-on-one-device", &chain, &["nyc1"]);
}

#[test]
fn groups_over_the_backbone() {
    let mut chain = triangle();
    chain.group("mg01");
    chain.user(multicast("9.1.0.1", "nyc1", 500, &["mg01"], &["mg01"]));
    chain.user(multicast("9.1.0.2", "pit1", 500, &[], &["mg01"]));
    chain.user(multicast("9.1.0.3", "chi1", 500, &["mg01"], &["mg01"]));
    chain.set_link("nyc1-chi1", LinkStatus::SoftDrained);
    check("groups-over-the-backbone", &chain, &["nyc1", "pit1", "chi1"]);
}

#[test]
fn a_receiver_that_no_way_leads_to_has_no_part_in_a_group() {
    let mut chain = triangle();
    chain.group("mg01");
    chain.user(multicast("9.1.0.1", "nyc1", 500, &["mg01"], &[]));
    chain.user(multicast("9.1.0.2", "pit1", 501, &[], &["mg01"]));
    chain.user(multicast("9.1.0.3", "chi1", 501, &[], &["mg01"]));
    for link in ["nyc1-chi1", "pit1-chi1"] {
        chain.set_link(link, LinkStatus::HardDrained);
    }
    let groups = ["nyc1", "pit1", "chi1"].map(|device| render(&chain.view(), &chain.key(device)).unwrap().groups.len());
    assert_eq!(groups, [1, 1, 0]);
}

#[test]
fn a_new_publisher_sends_nothing_before_it_has_its_source() {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    chain.group("mg01");
    let key = chain.user(multicast("9.1.0.1", "nyc1", 500, &[], &["mg01"]));
    chain.user(multicast("9.1.0.2", "nyc1", 501, &[], &["mg01"]));
    chain.set_user(key, |user| {
        user.publishers = user.subscribers.clone();
        user.status = UserStatus::Updating;
    });
    check("publisher-without-source", &chain, &["nyc1"]);
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let build = || {
        let mut chain = triangle();
        chain.group("mg01");
        for number in 1..40u16 {
            let (client, device) = (format!("9.1.1.{number}"), ["nyc1", "pit1", "chi1"][usize::from(number % 3)]);
            chain.user(unicast(&client, device, 500 + number, None));
            chain.user(multicast(&client, device, 600 + number, &["mg01"], &["mg01"]));
        }
        chain
    };
    let (one, other) = (build(), build());
    for device in ["nyc1", "pit1", "chi1"] {
        let render = |chain: &Chain| render(&chain.view(), &chain.key(device)).unwrap();
        assert_eq!(render(&one).to_json(), render(&other).to_json());
        let config = render(&one);
        let read = serde_json::from_str(&config.to_json());
        assert_eq!(read.map_err(|error| error.to_string()), Ok(config));
    }
}

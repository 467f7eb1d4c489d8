//! Networks that cannot be rendered, each with its whole error.

use dz_controller::{
    config::InvalidIfName,
    render::{Found, RenderError, render},
};
use dz_sdk::program::{
    network::NetworkV4,
    pda,
    state::{InterfaceKind, InterfaceStatus},
};
use solana_pubkey::Pubkey;

use crate::view_builder::{Chain, Kind, NewUser, PROGRAM, ip};

fn one_user() -> (Chain, Pubkey) {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    let kind = Kind::Own { tenant: None };
    let user = chain.user(NewUser { client: "9.1.0.1", device: "nyc1", endpoint: 0, id: 500, kind });
    (chain, user)
}

/// Addresses that stand before and after all that programs derive.
fn ends() -> (Pubkey, Pubkey) {
    (Pubkey::new_from_array([0; 32]), Pubkey::new_from_array([255; 32]))
}

fn refused(chain: &Chain) -> RenderError {
    render(&chain.view(), &chain.key("nyc1")).expect_err("this cannot be rendered")
}

#[test]
fn a_device_that_is_not_on_chain() {
    let (chain, _) = one_user();
    let nobody = chain.key("nobody");
    assert_eq!(render(&chain.view(), &nobody), Err(RenderError::UnknownDevice(nobody)));
}

#[test]
fn two_users_with_the_same_pair_are_both_named() {
    let (mut chain, user) = one_user();
    let (before, after) = ends();
    chain.copy_user(user, after, |user| user.allocation.as_mut().unwrap().tunnel_id = 501);
    let (source_ip, destination) = (ip("45.33.100.1"), ip("9.1.0.1"));
    let error = refused(&chain);
    assert_eq!(error, RenderError::SamePair { first: user, second: after, source_ip, destination });
    assert_eq!(error.to_string(), format!("users {user} and {after} both have a tunnel from 45.33.100.1 to 9.1.0.1"));

    // Whichever was there first, the lower address is named first.
    chain.remove(after);
    chain.copy_user(user, before, |user| user.allocation.as_mut().unwrap().tunnel_id = 501);
    assert_eq!(refused(&chain), RenderError::SamePair { first: before, second: user, source_ip, destination });
}

#[test]
fn two_users_with_the_same_tunnel_id() {
    let (mut chain, user) = one_user();
    let (_, second) = ends();
    chain.copy_user(user, second, |user| user.client_ip = ip("9.1.0.2"));
    assert_eq!(refused(&chain), RenderError::SameTunnelId { first: user, second, id: 500 });
}

#[test]
fn a_tunnel_without_an_allocation() {
    let (mut chain, user) = one_user();
    chain.set_user(user, |user| user.allocation = None);
    assert_eq!(refused(&chain), RenderError::NoAllocation(user));
}

#[test]
fn an_overlay_that_is_no_pair() {
    let (mut chain, user) = one_user();
    let net = NetworkV4::new(ip("169.254.0.0"), 30).unwrap();
    chain.set_user(user, |user| user.allocation.as_mut().unwrap().tunnel_net = net);
    assert_eq!(refused(&chain), RenderError::Overlay { user, net: *net });
}

#[test]
fn a_tunnel_that_ends_elsewhere() {
    let (mut chain, user) = one_user();
    chain.set_user(user, |user| user.endpoint_ip = ip("45.33.100.9"));
    let (device, endpoint) = ("nyc1".to_owned(), ip("45.33.100.9"));
    assert_eq!(refused(&chain), RenderError::NoEndpoint { user, endpoint, device });
}

#[test]
fn a_tenant_without_a_table() {
    let (mut chain, user) = one_user();
    let tenant = chain.tenant("acme", None);
    chain.set_user(user, |user| user.tenant = Some(tenant));
    assert_eq!(refused(&chain), RenderError::NoVrf { user, tenant });
    let tenant = chain.key("no tenant at all");
    chain.set_user(user, |user| user.tenant = Some(tenant));
    assert_eq!(refused(&chain), RenderError::NoVrf { user, tenant });
}

#[test]
fn a_name_the_kernel_cannot_have() {
    let (mut chain, _) = one_user();
    chain.interface("nyc1", "Ethernet 1", InterfaceKind::Physical, None, false);
    let source = InvalidIfName("Ethernet 1".to_owned());
    assert_eq!(refused(&chain), RenderError::Name { device: "nyc1".to_owned(), source });
}

#[test]
fn two_interfaces_with_one_name_in_the_kernel() {
    let (mut chain, _) = one_user();
    chain.interface("nyc1", "Ethernet1/1", InterfaceKind::Physical, None, false);
    chain.interface("nyc1", "Ethernet1-1", InterfaceKind::Physical, None, false);
    let (first, second) = ("Ethernet1-1".to_owned(), "Ethernet1/1".to_owned());
    assert_eq!(refused(&chain), RenderError::SameName { device: "nyc1".to_owned(), first, second });
}

#[test]
fn a_link_without_a_port() {
    let (mut chain, _) = one_user();
    chain.device("pit1", "9.0.0.2", &["45.33.100.9"]);
    chain.link("nyc1-pit1", ("nyc1", "Ethernet1"), ("pit1", "Ethernet1"), 5);
    let device = chain.key("nyc1");
    let interface = pda::interface(&PROGRAM, &device, "Ethernet1").0;
    let refusal = |found| RenderError::LinkEnd { link: "nyc1-pit1".to_owned(), interface, device, found };

    chain.set_interface(interface, InterfaceStatus::Pending);
    let end = format!("link nyc1-pit1 ends on interface {interface} of device {device}, which is");
    let error = refused(&chain);
    assert_eq!(error.to_string(), format!("{end} pending"));
    assert_eq!(error, refusal(Found::Status(InterfaceStatus::Pending)));
    chain.remove(interface);
    let error = refused(&chain);
    assert_eq!(error.to_string(), format!("{end} absent"));
    assert_eq!(error, refusal(Found::Absent));
    // The other end has no part in it.
    assert!(render(&chain.view(), &chain.key("pit1")).is_ok());
}

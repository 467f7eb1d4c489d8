//! States that the program leads to, step by step: none of them is found.

use dz_sdk::{
    NetworkView,
    build::{self, BuildError},
    instruction::{contributor, multicast_group, tenant, user::Grant},
};
use dz_serviceability::{
    ID as P,
    state::{LinkStatus, Roles, User, UserStatus},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::chain::{ACTIVATOR, ALICE, CAROL, CO, Chain, FOUNDATION, OTHER, SUBSCRIBE, ip, net};

/// Carries out instructions, each of which leaves the chain sound.
#[track_caller]
fn step(c: &mut Chain, signer: Pubkey, make: impl FnOnce(&NetworkView) -> Result<Vec<Instruction>, BuildError>) {
    for instruction in make(&c.view).unwrap() {
        c.run(signer, instruction);
        c.is_sound();
    }
}

#[test]
fn a_chain_that_only_the_program_has_written_is_sound() {
    Chain::sound().is_sound();
}

#[test]
fn a_user_whose_dz_ip_follows_its_roles_is_sound() {
    let mut c = Chain::sound();
    let (user, group) = (c.key("user subscriber"), c.key("mg01"));
    let held = c.get::<User>("user subscriber").allocation.unwrap();
    let both = Roles { publish: true, subscribe: true };
    for (roles, dz_ip) in [(both, "148.51.120.1"), (SUBSCRIBE, "9.128.0.3")] {
        step(&mut c, CAROL, |view| build::set_user_roles(view, &CAROL, user, &[(group, roles)]));
        assert_eq!(c.get::<User>("user subscriber").status, UserStatus::Updating);
        let grant = Grant { tunnel_net: held.tunnel_net, tunnel_id: held.tunnel_id, dz_ip: ip(dz_ip) };
        step(&mut c, ACTIVATOR, |view| Ok(vec![build::activate_user(view, &ACTIVATOR, user, grant)?]));
    }
}

#[test]
fn a_user_that_goes_away_is_sound() {
    let mut c = Chain::sound();
    let [unicast, publisher, pending, banned, leaving] =
        ["unicast", "publisher", "pending", "banned", "pending ban"].map(|name| c.key(&format!("user {name}")));
    for (owner, user) in [(ALICE, unicast), (CAROL, publisher), (CAROL, pending)] {
        step(&mut c, owner, |view| Ok(vec![build::delete_user(view, &owner, user)?]));
        step(&mut c, ACTIVATOR, |view| build::close_user(view, &ACTIVATOR, user));
    }
    step(&mut c, ACTIVATOR, |view| build::finish_ban(view, &ACTIVATOR, leaving));
    for user in [banned, leaving] {
        step(&mut c, FOUNDATION, |view| Ok(vec![build::delete_user(view, &FOUNDATION, user)?]));
    }
}

#[test]
fn a_device_that_is_drained_under_its_users_is_sound() {
    let mut c = Chain::sound();
    let nyc1 = c.key("nyc1");
    step(&mut c, CO, |view| Ok(vec![build::drain_device(view, &CO, nyc1)?]));
    step(&mut c, CO, |view| Ok(vec![build::undrain_device(view, &CO, nyc1)?]));
}

/// Its address is in the prefix from then on, and in the registry of clients.
#[test]
fn a_client_around_which_a_prefix_is_brought_is_sound() {
    let mut c = Chain::sound();
    let co = c.key("co");
    let around = net("9.128.0.0/28");
    step(&mut c, CO, |_| Ok(vec![contributor::add_contributor_prefix(&P, &CO, co, around)]));
}

#[test]
fn a_link_that_is_drained_and_goes_away_is_sound() {
    let mut c = Chain::sound();
    let [backbone, asked, port] = ["backbone", "asked", "nyc2 Ethernet2"].map(|name| c.key(name));
    for status in [LinkStatus::SoftDrained, LinkStatus::HardDrained] {
        step(&mut c, OTHER, |view| Ok(vec![build::set_link_status(view, &OTHER, backbone, status)?]));
    }
    // The port that a link only asks for may go before the link.
    step(&mut c, OTHER, |view| Ok(vec![build::delete_interface(view, &OTHER, port)?]));
    step(&mut c, ACTIVATOR, |view| Ok(vec![build::close_interface(view, &ACTIVATOR, port)?]));
    for link in [backbone, asked] {
        step(&mut c, CO, |view| Ok(vec![build::delete_link(view, &CO, link)?]));
        step(&mut c, ACTIVATOR, |view| Ok(vec![build::close_link(view, &ACTIVATOR, link)?]));
    }
}

#[test]
fn a_group_and_a_tenant_that_go_away_are_sound() {
    let mut c = Chain::sound();
    let (group, idle) = (c.key("mg02"), c.key("idle"));
    step(&mut c, FOUNDATION, |_| {
        Ok(vec![
            multicast_group::delete_multicast_group(&P, &FOUNDATION, group),
            tenant::delete_tenant(&P, &FOUNDATION, idle),
        ])
    });
    step(&mut c, ACTIVATOR, |view| {
        let close = build::close_multicast_group(view, &ACTIVATOR, group)?;
        Ok(vec![close, build::close_tenant(view, &ACTIVATOR, idle)])
    });
}

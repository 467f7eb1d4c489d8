//! Each view broken on purpose, and what the oracle says of it.

mod looks;
mod reach;
mod routes;
mod settled;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use dz_sdk::{
    NetworkView, build,
    instruction::device,
    local::LocalBank,
    program::{
        ID,
        state::{AccountData, Interface, Pool, PoolKind, User, UserAllocation, UserStatus, UserType},
    },
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use tokio::time::Instant;

use super::{Mismatch, audit, kernels, rendered, right, wire};
use crate::{
    run::{
        genesis::{self, bank::FUNDS},
        keys::{Keys, Owner},
    },
    scenario_files::Words,
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(9, 128, 0, 1);
const FIRST: Ipv4Addr = Ipv4Addr::new(45, 33, 100, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(45, 33, 100, 2);

/// Two devices with an endpoint each and a client that waits for its tunnel, as the program itself makes them.
fn chain() -> NetworkView {
    let text = "
network:
  devices: { nyc1: { exchange: nyc, endpoints: [45.33.100.1] }, nyc2: { exchange: nyc, endpoints: [45.33.100.2] } }
  clients: { val1: { exchange: nyc } }
";
    let case = dzsim_scenario::parse("oracle/one.yaml".as_ref(), text, &Words::default()).unwrap().remove(0);
    let keys = Keys::new(1);
    let [foundation, activator, client] =
        [Owner::Foundation, Owner::Activator, Owner::Client("val1")].map(|owner| keys.of(owner).pubkey());
    let mut bank = LocalBank::new(ID, &foundation);
    [foundation, activator, client].into_iter().for_each(|key| bank.airdrop(key, FUNDS));
    let genesis = genesis::instructions(&case.plan, &case.policy, keys).unwrap();
    bank.execute(&[foundation], &genesis).unwrap();
    let view = bank.view().unwrap();
    let (interface, endpoint) = view.interface_by_address(FIRST).unwrap();
    let activate = [
        build::activate_interface(&view, &activator, interface).unwrap(),
        device::activate_device(&ID, &activator, endpoint.device),
    ];
    bank.execute(&[activator], &activate).unwrap();
    let (user_type, tenant, roles) = (UserType::Ibrl, None, Vec::new());
    let wanted = build::CreateUser { client_ip: CLIENT, endpoint_ip: FIRST, user_type, tenant, roles };
    let create = build::create_user(&bank.view().unwrap(), &client, &client, wanted).unwrap();
    bank.execute(&[client], &[create]).unwrap();
    bank.view().unwrap()
}

/// What is said of the chain with one account written as no instruction would.
fn broken<T: AccountData + Clone>(
    accounts: impl Fn(&NetworkView) -> &BTreeMap<Pubkey, T>,
    wanted: impl Fn(&T) -> bool,
    change: impl FnOnce(&mut T),
) -> (Pubkey, Vec<Mismatch>) {
    let (mut view, mut found) = (chain(), Vec::new());
    let account = accounts(&view).iter().find(|(_, account)| wanted(account));
    let (key, mut account) = account.map(|(key, account)| (*key, account.clone())).unwrap();
    change(&mut account);
    view.set_account(key, &account.encode()).unwrap();
    audit::check(&view, &mut found);
    (key, found)
}

/// A mismatch of the audit: the subject and what its account says.
fn mismatch(key: Pubkey, subject: &str, says: &str) -> Mismatch {
    Mismatch {
        invariant: "the chain agrees with a recount of itself",
        subject: subject.to_owned(),
        views: (format!("account of {subject}"), "recount of all accounts".to_owned()),
        first: says.to_owned(),
        second: format!("does not allow that (account {key})"),
    }
}

/// The invariant and the subject of each mismatch.
fn named(found: &[Mismatch]) -> Vec<(&str, &str)> {
    found.iter().map(|mismatch| (mismatch.invariant, mismatch.subject.as_str())).collect()
}

/// A chain with users that have a unicast tunnel, by client, tenant and device.
fn users(all: &[(u8, Option<Pubkey>, &str)]) -> NetworkView {
    let mut view = chain();
    let waiting = view.users().values().next().unwrap().clone();
    let (tunnel_net, tunnel_pool) = ("169.254.0.0/31".parse().unwrap(), Pubkey::default());
    for (client, tenant, device) in all {
        let client_ip = Ipv4Addr::new(9, 128, 0, *client);
        let held = UserAllocation { tunnel_net, tunnel_pool, tunnel_id: 500, dz_ip: client_ip, dz_ip_pool: None };
        let (status, allocation) = (UserStatus::Activated, Some(held));
        let device = view.device_by_code(device).unwrap().0;
        let user = User { client_ip, tenant: *tenant, device, status, allocation, ..waiting.clone() };
        view.set_account(Pubkey::new_from_array([*client; 32]), &user.encode()).unwrap();
    }
    view
}

const USER: &str = "user (9.128.0.1, 45.33.100.1)";

#[test]
fn what_the_audit_finds_is_a_mismatch_with_names_instead_of_keys() {
    let (pool, found) = broken(
        NetworkView::pools,
        |it| it.kind == PoolKind::UserTunnelBlock,
        |it: &mut Pool| it.claim(it.base + 8, 1).unwrap(),
    );
    let words = "user-tunnel-block: taken, and nobody holds it: [\"169.254.0.8\"]";
    assert_eq!(found, [mismatch(pool, "pool user-tunnel-block:169.254.0.0", words)]);
    let activate = |it: &mut User| it.status = UserStatus::Activated;
    let (user, found) = broken(NetworkView::users, |_| true, activate);
    assert_eq!(found, [mismatch(user, USER, "that it holds a tunnel is false, counted true")]);
    let (pass, found) = broken(NetworkView::access_passes, |_| true, |it| it.banned_users = 1);
    let words = "the count of users is [1, 0, 1], counted [1, 0, 0]";
    assert_eq!(found, [mismatch(pass, "access pass of 9.128.0.1", words)]);
    let (client, found) = broken(NetworkView::clients, |_| true, |it| it.user_count = 2);
    assert_eq!(found, [mismatch(client, "client 9.128.0.1", "the count of users is 2, counted 1")]);
    let (device, found) = broken(NetworkView::devices, |it| it.code == "nyc2", |it| it.interface_count = 2);
    assert_eq!(found, [mismatch(device, "nyc2", "the count of interfaces is 2, counted 1")]);
}

/// The words of a finding name other accounts, too.
#[test]
fn both_holders_of_one_address_are_named() {
    let is_second = |it: &Interface| it.address.is_some_and(|address| address.ip == SECOND);
    let take = |it: &mut Interface| it.address.as_mut().unwrap().ip = FIRST;
    let (_, found) = broken(NetworkView::interfaces, is_second, take);
    let said: Vec<_> = found.iter().map(|it| (it.subject.as_str(), it.first.as_str())).collect();
    let [first, second] = ["interface nyc1:Loopback100", "interface nyc2:Loopback100"];
    assert_eq!(
        said,
        [
            (first, "45.33.100.1 of the address-registry is held twice"),
            ("pool address-registry:45.33.100.0", "address-registry: taken, and nobody holds it: [\"45.33.100.2\"]"),
            (first, &format!("has the same address as {second}")),
            (first, &format!("has 45.33.100.1 as address, which {second} has as address")),
        ]
    );
}

/// When the checks ran, in milliseconds, if the first of them find something, and the outcome.
async fn checks(deadline: u64, found_in: usize) -> (Vec<u128>, Result<(), usize>) {
    let (start, mut times) = (Instant::now(), Vec::new());
    let outcome = super::until_nothing_is_found(Duration::from_millis(deadline), async || {
        times.push(start.elapsed().as_millis());
        if times.len() > found_in { Ok(()) } else { Err(times.len()) }
    });
    let outcome = outcome.await;
    (times, outcome)
}

#[tokio::test(start_paused = true)]
async fn what_a_part_has_not_made_yet_is_waited_for_until_the_deadline() {
    assert_eq!(checks(1000, 0).await, (vec![0], Ok(())));
    assert_eq!(checks(1000, 7).await, (vec![0, 2, 6, 14, 30, 62, 112, 162], Ok(())));
    // No check would come before the end.
    assert_eq!(checks(30, 7).await, (vec![0, 2, 6, 14], Err(4)));
    assert_eq!(checks(31, 7).await, (vec![0, 2, 6, 14, 30], Err(5)));
    assert_eq!(checks(0, 7).await, (vec![0], Err(1)));
}

fn wanted() -> BTreeMap<(Ipv4Addr, Ipv4Addr), String> {
    BTreeMap::from([((FIRST, CLIENT), USER.to_owned())])
}

#[test]
fn a_tunnel_that_the_kernel_lost_is_named_with_its_user() {
    let mut found = Vec::new();
    kernels::differences("nyc1", &wanted(), [], &mut found);
    assert_eq!(named(&found), [("no activated user without a tunnel", USER)]);
    assert_eq!(found[0].views.1, "kernel of nyc1");
}

#[test]
fn a_tunnel_of_nobody_is_named_with_its_addresses() {
    let mut found = Vec::new();
    let there = [("tun500".to_owned(), (FIRST, CLIENT)), ("tun501".to_owned(), (SECOND, CLIENT))];
    kernels::differences("nyc1", &wanted(), there, &mut found);
    let subject = "tunnel tun501 of nyc1 from 45.33.100.2 to 9.128.0.1";
    assert_eq!(named(&found), [("no tunnel without a user", subject)]);
}

#[test]
fn a_stale_user_in_a_configuration_is_named() {
    let mut found = Vec::new();
    let rendered = BTreeMap::from([((FIRST, CLIENT), 500), ((SECOND, CLIENT), 501)]);
    rendered::differences("nyc1", &wanted(), &rendered, &mut found);
    let invariant = "a tunnel is rendered exactly for each user that has one";
    assert_eq!(named(&found), [(invariant, "tunnel from 45.33.100.2 to 9.128.0.1")]);
    assert_eq!(found[0].second, "tunnel 501");
}

#[test]
fn a_user_rendered_into_another_table_is_named_with_both() {
    let mut found = Vec::new();
    let properties = |vrf: &str| BTreeMap::from([("tunnel id", "500".to_owned()), ("vrf", vrf.to_owned())]);
    rendered::deviations("nyc1", USER, &properties("1"), &properties("2"), &mut found);
    let expected = Mismatch {
        invariant: "a tunnel is rendered as the chain grants it",
        subject: USER.to_owned(),
        views: ("chain".to_owned(), "configuration of nyc1".to_owned()),
        first: "vrf 1".to_owned(),
        second: "vrf 2".to_owned(),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn an_address_that_is_not_where_the_chain_says_is_named() {
    let mut found = Vec::new();
    let overlay = Ipv4Addr::new(169, 254, 0, 0);
    let placed = [(FIRST, None), (SECOND, None), (overlay, Some((FIRST, CLIENT))), (overlay, Some((SECOND, CLIENT)))];
    let placed = placed.map(|(address, tunnel)| right::Placed { subject: address.to_string(), address, tunnel });
    let tunnels = BTreeMap::from([("tun500".to_owned(), (FIRST, CLIENT))]);
    // The overlay address is on the loopback, and the tunnel to the second endpoint is not there at all.
    let held = BTreeMap::from([("Loopback100".to_owned(), BTreeSet::from([FIRST, overlay]))]);
    kernels::misplaced("nyc1", &placed, &tunnels, &held, &mut found);
    let said: Vec<_> = found.iter().map(|it| (it.subject.as_str(), it.second.as_str())).collect();
    assert_eq!(
        said,
        [("45.33.100.2", "no interface has it"), ("169.254.0.0", "the tunnel's interface does not have it")]
    );
}

#[test]
fn packets_from_a_wrong_address_are_named_with_where_they_were_seen() {
    let mut found = Vec::new();
    let known = BTreeSet::from([(CLIENT, FIRST)]);
    let stranger = Ipv4Addr::new(9, 128, 0, 2);
    let carried = [("val1".to_owned(), (CLIENT, FIRST)), ("nyc1".to_owned(), (stranger, FIRST))];
    wire::strangers(&known, carried, &mut found);
    let invariant = "the wire carries only tunnels that the chain knows";
    assert_eq!(named(&found), [(invariant, "GRE from 9.128.0.2 to 45.33.100.1")]);
    assert_eq!(found[0].views.0, "wire at nyc1");
}

#[test]
fn a_tunnel_that_is_gone_may_be_used_only_by_who_cannot_have_heard() {
    let text = "
network:
  exchanges: { nyc: {} }
  devices: { nyc1: {}, nyc2: {} }
  clients: { val1: {}, val2: {} }
";
    let plan = dzsim_scenario::parse("oracle/wire.yaml".as_ref(), text, &Words::default()).unwrap().remove(0).plan;
    let has_heard = |halted: &str| {
        wire::has_heard(&plan, plan.clients.keys().next(), "nyc1", |process| process.to_string() != halted)
    };
    for halted in ["val1.daemon", "nyc1.agent", "controller"] {
        assert!(!has_heard(halted), "{halted}");
    }
    for halted in ["val2.daemon", "nyc2.agent", "activator", "nobody"] {
        assert!(has_heard(halted), "{halted}");
    }
}

#[test]
fn a_rule_for_an_interface_that_is_gone_is_named() {
    let mut found = Vec::new();
    let interfaces = BTreeSet::from(["lo", "Tunnel500"].map(str::to_owned));
    kernels::stale("nyc1", ["Tunnel500", "lo", "Tunnel501"].map(str::to_owned), &interfaces, &mut found);
    assert_eq!(named(&found), [("no rule without its interface", "interface Tunnel501 of nyc1")]);
}

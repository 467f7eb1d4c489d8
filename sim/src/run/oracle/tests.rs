//! Each view broken on purpose, and what the oracle says of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_sdk::{
    NetworkView, build,
    instruction::{device, user::Grant},
    local::{LocalBank, Record},
    program::{
        ID,
        network::NetworkV4,
        state::{AccountData, Device, Pool, PoolKind, User, UserType},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{Mismatch, audit, kernels, rendered, wire};
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

/// One device with two endpoints and one client with one tunnel, as the program itself makes them.
struct Chain {
    bank: LocalBank,
}

impl Chain {
    fn new() -> Self {
        let text = "network:\n  devices: { nyc1: { exchange: nyc, prefix: 45.33.100.0/29 } }\n  clients: { val1: { exchange: nyc } }\nsteps: []\n";
        let case = dzsim_scenario::parse("oracle/one.yaml".as_ref(), text, &Words::default()).unwrap().remove(0);
        let keys = Keys::new(1);
        let [foundation, activator, client] =
            [Owner::Foundation, Owner::Activator, Owner::Client("val1")].map(|owner| keys.of(owner).pubkey());
        let mut bank = LocalBank::new(ID, &keys.of(Owner::Foundation).pubkey());
        [foundation, activator, client].into_iter().for_each(|key| bank.airdrop(key, FUNDS));
        let mut chain = Self { bank };
        let genesis = genesis::instructions(&case.plan, &case.policy, keys).unwrap();
        genesis.into_iter().for_each(|instruction| chain.run(foundation, instruction));
        let (nyc1, _) = chain.view().device_by_code("nyc1").map(|(key, device)| (key, device.clone())).unwrap();
        for (ip, number) in [(FIRST, 100), (SECOND, 101)] {
            let pull = build::pull_endpoint(&chain.view(), &activator, nyc1, ip, number).unwrap();
            chain.run(activator, pull);
        }
        chain.run(activator, device::activate_device(&ID, &activator, nyc1));
        let wanted = build::CreateUser {
            client_ip: CLIENT,
            endpoint_ip: FIRST,
            user_type: UserType::Ibrl,
            tenant: None,
            roles: Vec::new(),
        };
        let create = build::create_user(&chain.view(), &client, &client, wanted).unwrap();
        chain.run(client, create);
        let (user, _) = chain.user();
        let tunnel_net = NetworkV4::new(Ipv4Addr::new(169, 254, 0, 0), 31).unwrap();
        let grant = Grant { tunnel_net, tunnel_id: 500, dz_ip: CLIENT };
        let activate = build::activate_user(&chain.view(), &activator, user, grant).unwrap();
        chain.run(activator, activate);
        chain
    }

    fn run(&mut self, signer: Pubkey, instruction: Instruction) {
        self.bank.execute(&[signer], &[instruction]).unwrap();
    }

    fn view(&self) -> NetworkView {
        self.bank.view().unwrap()
    }

    fn user(&self) -> (Pubkey, User) {
        self.view().users().iter().map(|(key, user)| (*key, user.clone())).next().unwrap()
    }

    fn pool(&self, kind: PoolKind) -> (Pubkey, Pool) {
        self.view().pools().iter().find(|(_, pool)| pool.kind == kind).map(|(key, pool)| (*key, pool.clone())).unwrap()
    }

    fn device(&self) -> (Pubkey, Device) {
        self.view().device_by_code("nyc1").map(|(key, device)| (key, device.clone())).unwrap()
    }

    /// Writes an account as no instruction would.
    fn break_account(&mut self, key: Pubkey, value: &impl AccountData) {
        let record = Record { lamports: 1, data: value.encode(), owner: ID };
        self.bank.set_account(key, record);
    }

    fn check(&self) -> Vec<Mismatch> {
        let (view, mut found) = (self.view(), Vec::new());
        audit::check(&view, &mut found);
        found
    }
}

/// The invariant and the subject of each mismatch.
fn named(found: &[Mismatch]) -> Vec<(&str, &str)> {
    found.iter().map(|mismatch| (mismatch.invariant, mismatch.subject.as_str())).collect()
}

/// The subject of each mismatch and what is said of it.
fn said(found: &[Mismatch]) -> Vec<(&str, &str)> {
    found.iter().map(|mismatch| (mismatch.subject.as_str(), mismatch.first.as_str())).collect()
}

const USER: &str = "user (9.128.0.1, 45.33.100.1)";

#[test]
fn a_sound_chain_has_no_mismatch() {
    assert_eq!(Chain::new().check(), []);
}

#[test]
fn a_leaked_unit_is_named_with_its_pool() {
    let mut chain = Chain::new();
    let (key, mut pool) = chain.pool(PoolKind::UserTunnelBlock);
    pool.claim(pool.base + 8, 1).unwrap();
    chain.break_account(key, &pool);
    let found = chain.check();
    let words = "user-tunnel-block: taken, and nobody holds it: [\"169.254.0.8\"]";
    assert_eq!(said(&found), [("pool user-tunnel-block:169.254.0.0", words)]);
}

#[test]
fn a_unit_that_was_freed_under_its_user_is_named() {
    let mut chain = Chain::new();
    let (key, mut pool) = chain.pool(PoolKind::TunnelIds);
    pool.release(500, 1).unwrap();
    chain.break_account(key, &pool);
    let found = chain.check();
    assert_eq!(said(&found), [("pool nyc1:tunnel-ids", "tunnel-ids: held, and not taken: [\"500\"]")]);
}

#[test]
fn a_doubled_pair_is_named() {
    let mut chain = Chain::new();
    let (_, user) = chain.user();
    chain.break_account(Pubkey::new_from_array([7; 32]), &user);
    let found = chain.check();
    let words = format!("has the same client and endpoint as {USER}");
    assert!(said(&found).contains(&(USER, &words)), "{found:?}");
}

#[test]
fn an_endpoint_of_nobody_is_named_with_its_user() {
    let mut chain = Chain::new();
    let (key, mut user) = chain.user();
    user.endpoint_ip = SECOND;
    chain.break_account(key, &user);
    let found = chain.check();
    assert!(found.iter().any(|mismatch| mismatch.subject == "user (9.128.0.1, 45.33.100.2)"), "{found:?}");
}

#[test]
fn a_wrong_counter_is_named() {
    let mut chain = Chain::new();
    let (key, mut device) = chain.device();
    device.counts.unicast_users += 1;
    chain.break_account(key, &device);
    let found = chain.check();
    assert!(found.iter().all(|mismatch| mismatch.subject == "nyc1") && !found.is_empty(), "{found:?}");
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
    let placed = placed.map(|(address, tunnel)| kernels::Placed { subject: address.to_string(), address, tunnel });
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

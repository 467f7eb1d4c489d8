//! Addresses across kinds, and whose they are: an address is one thing's, and a client's is one payer's.

use dz_sdk::{
    audit::audit,
    build,
    instruction::{self as ix, access_pass::PassLimits},
};
use dz_serviceability::{
    ID as P, pda,
    state::{Bootstrap, PoolKind, UserStatus, UserType::*},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{Error, Net, grant, ip, net, signer, with_account};

/// A device `nyc1` with endpoints 9.0.1.1 and 9.0.1.2.
async fn network() -> (Net, Pubkey) {
    let mut n = Net::with_metro().await;
    let device = n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    (n, device)
}

/// A pass of the foundation's for any address.
async fn any_address(n: &mut Net, holder: &Keypair) {
    let f = signer(&n.keys.foundation);
    let limits = PassLimits { max_unicast_users: 9, ..PassLimits::default() };
    let set = ix::access_pass::set_access_pass(&P, &f.pubkey(), ip("0.0.0.0"), holder.pubkey(), limits, None);
    n.ok(&f, [set]).await;
}

fn connect(n: &Net, who: &Keypair, client_ip: &str, endpoint_ip: &str) -> Instruction {
    let (client_ip, endpoint_ip) = (ip(client_ip), ip(endpoint_ip));
    let wanted = build::CreateUser { client_ip, endpoint_ip, user_type: Ibrl, tenant: None, roles: vec![] };
    build::create_user(&n.view, &who.pubkey(), &who.pubkey(), wanted).unwrap()
}

/// The client is there first: a device, an endpoint, a /24, a block cannot come to be where it is. A prefix can be brought
/// around it, and its address is then never handed out.
#[tokio::test]
async fn what_comes_after_a_client_goes_around_it() {
    let (mut n, device) = network().await;
    let (f, a, o) = (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.owner));
    let (fk, ak, ok) = (f.pubkey(), a.pubkey(), o.pubkey());
    for (client, endpoint) in [("46.0.1.1", "9.0.1.1"), ("9.0.2.1", "9.0.1.1"), ("9.0.2.3", "9.0.1.1")] {
        n.pass(client).await;
        n.pending_user(client, endpoint, Ibrl, vec![]).await;
    }
    let args = n.device_args("nyc2", "46.0.1.1", Bootstrap::OwnPrefix);
    let create = ix::device::create_device(&P, &ok, n.co(), n.nyc(), 100, args);
    n.refused(&o, create, Error::ClientAddress).await;
    let moved = build::set_device_public_ip(&n.view, &ok, device, ip("46.0.1.1")).unwrap();
    n.refused(&o, moved, Error::ClientAddress).await;
    let own = build::create_interface(&n.view, &ok, device, "lo7", Some(ip("46.0.1.1")), true).unwrap();
    n.refused(&o, own, Error::ClientAddress).await;
    for kind in [PoolKind::DoubleZeroBlock, PoolKind::MulticastPublisherBlock] {
        let around = ix::global_config::add_block(&P, &fk, kind, net("46.0.0.0/23"));
        n.refused(&f, around, Error::BlockOverlaps).await;
        n.ok(&f, [ix::global_config::add_block(&P, &fk, kind, net(&format!("46.0.{}.0/24", 4 + kind as u8)))]).await;
    }

    n.ok(&o, [build::add_device_prefix(&n.view, &ok, device, net("9.0.2.0/29")).unwrap()]).await;
    let update = build::update_device(&n.view, &ok, device, n.get_device(device).device_type, Default::default(), 3);
    n.ok(&o, [update.unwrap()]).await;
    let pull = |n: &Net, to: &str| build::pull_endpoint(&n.view, &ak, device, ip(to), 102).unwrap();
    n.refused(&a, pull(&n, "9.0.2.1"), Error::ClientAddress).await;
    n.ok(&a, [pull(&n, "9.0.2.2")]).await;
    n.pass("9.3.0.1").await;
    let allocated = n.pending_user("9.3.0.1", "9.0.1.2", IbrlWithAllocatedIp, vec![]).await;
    let give = |n: &Net, to: &str| build::activate_user(&n.view, &ak, allocated, grant(1, to)).unwrap();
    n.refused(&a, give(&n, "9.0.2.3"), Error::ClientAddress).await;
    let blind = with_account(give(&n, "9.0.2.3"), "clients", |meta| meta.pubkey = P);
    n.refused(&a, blind, Error::MissingAccount).await;
    let elsewhere = with_account(give(&n, "9.0.2.3"), "clients", |meta| meta.pubkey = ix::clients(&P, ip("9.0.3.1")));
    n.refused(&a, elsewhere, Error::WrongAddress).await;
    n.ok(&a, [give(&n, "9.0.2.4")]).await;
    assert_eq!(audit(&n.view), []);

    // Once it has left, its address is the prefix's, like any other.
    let user = pda::user(&P, ip("9.0.2.3"), ip("9.0.1.1")).0;
    let p = signer(&n.keys.payer);
    n.ok(&p, [build::delete_user(&n.view, &p.pubkey(), user).unwrap()]).await;
    n.ok(&a, build::close_user(&n.view, &ak, user).unwrap()).await;
    n.refused(&p, n.create_user("9.0.2.3", "9.0.1.1", Ibrl), Error::AddressTaken).await;
    assert_eq!(audit(&n.view), []);
}

/// The other order: a connect from the address of a device, an endpoint or a prefix is refused.
#[tokio::test]
async fn a_client_comes_from_no_address_that_is_anybodys() {
    let (mut n, device) = network().await;
    let (p, o) = (signer(&n.keys.payer), signer(&n.keys.owner));
    let own = build::create_interface(&n.view, &o.pubkey(), device, "lo7", Some(ip("9.0.5.1")), true).unwrap();
    n.ok(&o, [own]).await;
    n.pass("0.0.0.0").await;
    for taken in ["9.0.0.1", "9.0.1.1", "9.0.1.6", "9.0.5.1"] {
        n.refused(&p, n.create_user(taken, "9.0.1.1", Ibrl), Error::AddressTaken).await;
    }
    // A registry of another /24 does not hide it.
    let hidden = with_account(n.create_user("9.0.5.1", "9.0.1.1", Ibrl), "registry", |meta| {
        meta.pubkey = ix::registry(&P, ip("9.0.6.1"));
    });
    n.refused(&p, hidden, Error::WrongAddress).await;
    n.ok(&p, [n.create_user("9.0.5.2", "9.0.1.1", Ibrl)]).await;
    assert_eq!(audit(&n.view), []);
}

/// An address is one payer's at a time. One that the foundation has named is its holder's, and its holder gets it back.
#[tokio::test]
async fn a_pass_for_any_address_is_no_power_over_others() {
    let (mut n, _) = network().await;
    let (f, a, p, s) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.payer), signer(&n.keys.stranger));
    let (ak, pk, sk) = (a.pubkey(), p.pubkey(), s.pubkey());
    any_address(&mut n, &s).await;
    // Whoever is first has an address that nobody is named for, all of it.
    n.ok(&s, [connect(&n, &s, "9.7.0.1", "9.0.1.1")]).await;
    any_address(&mut n, &p).await;
    n.refused(&p, connect(&n, &p, "9.7.0.1", "9.0.1.2"), Error::AddressOfOtherPayer).await;

    // Named, it is its holder's: the other one makes nothing new there, and what it has made goes at the holder's wish.
    n.pass("9.7.0.1").await;
    n.refused(&s, connect(&n, &s, "9.7.0.1", "9.0.1.2"), Error::AddressNamed).await;
    n.refused(&p, connect(&n, &p, "9.7.0.1", "9.0.1.1"), Error::EndpointInUse).await;
    let user = pda::user(&P, ip("9.7.0.1"), ip("9.0.1.1")).0;
    let reclaim = build::reclaim_address(&n.view, &pk, user).unwrap();
    let mut stolen = reclaim.clone();
    stolen.accounts[0].pubkey = sk;
    n.refused(&s, stolen, Error::NotAddressHolder).await;
    n.ok(&p, [reclaim.clone()]).await;
    assert_eq!(n.get_user(user).status, UserStatus::Deleting);
    n.refused(&p, reclaim, Error::UserDeleting).await;
    n.ok(&a, build::close_user(&n.view, &ak, user).unwrap()).await;
    n.ok(&p, [connect(&n, &p, "9.7.0.1", "9.0.1.1")]).await;
    // It is no weapon against another holder, nor against who is somewhere else.
    let own = build::reclaim_address(&n.view, &pk, user).unwrap();
    n.refused(&p, own, Error::DuplicateAccount).await;
    // Its holder may come under any pass it has.
    n.ok(&p, [connect(&n, &p, "9.7.0.1", "9.0.1.2")]).await;
    assert_ne!(n.get_user(pda::user(&P, ip("9.7.0.1"), ip("9.0.1.2")).0).access_pass, n.get_user(user).access_pass);
    let other = ix::access_pass::set_access_pass(&P, &f.pubkey(), ip("9.7.0.1"), sk, PassLimits::default(), None);
    n.ok(&f, [other]).await;
    let between = build::reclaim_address(&n.view, &sk, user).unwrap();
    n.refused(&s, between, Error::OwnAddress).await;
    n.ok(&s, [connect(&n, &s, "9.7.0.2", "9.0.1.1")]).await;
    let elsewhere = pda::user(&P, ip("9.7.0.2"), ip("9.0.1.1")).0;
    let reclaim = ix::user::reclaim_address(&P, &pk, ip("9.7.0.1"), &sk, elsewhere);
    n.refused(&p, reclaim, Error::PassForOtherAddress).await;
    assert_eq!(audit(&n.view), []);
}

/// A tenant's pass reserves no address: an administrator excludes no client.
#[tokio::test]
async fn a_tenants_pass_reserves_no_address() {
    let (mut n, _) = network().await;
    let (t, p, s) = (signer(&n.keys.administrator), signer(&n.keys.payer), signer(&n.keys.stranger));
    let tenant = n.tenant("acme", 2).await;
    let limits = PassLimits::default();
    let set = ix::access_pass::set_access_pass(&P, &t.pubkey(), ip("9.7.0.1"), s.pubkey(), limits, Some(tenant));
    n.ok(&t, [set]).await;
    any_address(&mut n, &p).await;
    n.ok(&p, [connect(&n, &p, "9.7.0.1", "9.0.1.1")]).await;
    let user = pda::user(&P, ip("9.7.0.1"), ip("9.0.1.1")).0;
    let pass = ix::access_pass::pass_address(&P, ip("9.7.0.1"), &s.pubkey(), Some(tenant));
    let reclaim = ix::user::reclaim_address(&P, &s.pubkey(), ip("9.7.0.1"), &p.pubkey(), user);
    let reclaim = with_account(reclaim, "access_pass", |meta| meta.pubkey = pass);
    n.refused(&s, reclaim, Error::NotAddressHolder).await;
}

/// The audit names both holders.
#[tokio::test]
async fn the_audit_names_both_holders_of_an_address() {
    let (mut n, device) = network().await;
    let key = n.pass("9.7.0.1").await;
    assert_ne!(key, device);
    let user = n.user("9.7.0.1", "9.0.1.1", Ibrl, vec![], 0, "9.7.0.1").await;
    let mut moved = n.get_device(device);
    moved.public_ip = ip("9.7.0.1");
    n.view.set_account(device, &dz_serviceability::state::AccountData::encode(&moved)).unwrap();
    let findings: Vec<_> = audit(&n.view).iter().map(ToString::to_string).collect();
    for role in ["client_ip", "dz_ip"] {
        let expected = format!("{user}: has 9.7.0.1 as {role}, which {device} has as public address");
        assert!(findings.contains(&expected), "{expected} is not in {findings:#?}");
    }
}

//! Multicast groups and their addresses.

use dz_sdk::{
    build,
    instruction::{access_pass::set_pass_group, multicast_group as ix},
};
use dz_serviceability::{
    ID as P, pda,
    state::{GroupAddress, MulticastGroup, MulticastGroupStatus, PoolKind},
};
use solana_signer::Signer;

use crate::support::{Error, Net, ip, signer, with_account};

#[tokio::test]
async fn a_life() {
    let mut n = Net::start().await;
    let (f, a, g) = (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.group_owner));
    let (fk, ak, gk) = (f.pubkey(), a.pubkey(), g.pubkey());
    let group = pda::multicast_group(&P, "mg01").0;
    n.ok(&f, [ix::create_multicast_group(&P, &fk, "mg01", gk, 5)]).await;
    let fresh = MulticastGroup {
        code: "mg01".into(),
        owner: gk,
        status: MulticastGroupStatus::Pending,
        address: None,
        max_bandwidth: 5,
        publisher_count: 0,
        subscriber_count: 0,
        allowlist_count: 0,
    };
    assert_eq!(n.get_group(group), fresh);
    n.ok(&a, [build::activate_multicast_group(&n.view, &ak, group, ip("233.84.178.0")).unwrap()]).await;
    let pool = pda::pool(&P, PoolKind::MulticastGroupBlock, &pda::config(&P).0, ip("233.84.178.0").into()).0;
    let address = Some(GroupAddress { ip: ip("233.84.178.0"), pool });
    let active = MulticastGroup { status: MulticastGroupStatus::Activated, address, ..fresh };
    assert_eq!(n.get_group(group), active);
    n.ok(&g, [ix::update_multicast_group(&P, &gk, group, fk, 6)]).await;
    assert_eq!(n.get_group(group), MulticastGroup { owner: fk, max_bandwidth: 6, ..active });
    n.ok(&f, [ix::update_multicast_group(&P, &fk, group, gk, 6)]).await;
    n.ok(&g, [ix::delete_multicast_group(&P, &gk, group)]).await;
    n.ok(&a, [build::close_multicast_group(&n.view, &ak, group).unwrap()]).await;
    assert_eq!((n.view.group(&group), n.view.pool(&pool).unwrap().used()), (None, 0));
    // One that never was activated holds nothing.
    n.ok(&f, [ix::create_multicast_group(&P, &fk, "mg01", gk, 5)]).await;
    n.ok(&g, [ix::delete_multicast_group(&P, &gk, group)]).await;
    n.ok(&a, [build::close_multicast_group(&n.view, &ak, group).unwrap()]).await;
    assert_eq!(n.view.group(&group), None);
}

#[tokio::test]
async fn refusals() {
    let mut n = Net::start().await;
    let (f, a, g, s) =
        (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.group_owner), signer(&n.keys.stranger));
    let (fk, ak, gk, sk) = (f.pubkey(), a.pubkey(), g.pubkey(), s.pubkey());
    n.refused(&g, ix::create_multicast_group(&P, &gk, "g", gk, 1), Error::NotFoundation).await;
    n.refused(&f, ix::create_multicast_group(&P, &fk, "", gk, 1), Error::InvalidCode).await;
    n.refused(&f, ix::create_multicast_group(&P, &fk, "g", gk, 0), Error::InvalidBandwidth).await;
    let (one, two) = (n.group("one", 1).await, pda::multicast_group(&P, "two").0);
    n.ok(&f, [ix::create_multicast_group(&P, &fk, "two", gk, 1)]).await;

    n.refused(&s, ix::update_multicast_group(&P, &sk, one, sk, 1), Error::NotGroupOwner).await;
    n.refused(&g, ix::update_multicast_group(&P, &gk, one, gk, 0), Error::InvalidBandwidth).await;
    let activate = |key, group, address| ix::activate_multicast_group(&P, key, group, pool(), ip(address));
    n.refused(&f, activate(&fk, two, "233.84.178.2"), Error::NotActivator).await;
    n.refused(&a, activate(&ak, one, "233.84.178.2"), Error::GroupNotPending).await;
    n.refused(&a, activate(&ak, two, "233.84.178.1"), Error::UnitTaken).await;
    n.refused(&a, activate(&ak, two, "233.84.179.0"), Error::OutsidePool).await;
    n.refused(&s, ix::delete_multicast_group(&P, &sk, one), Error::NotGroupOwner).await;
    let close = build::close_multicast_group(&n.view, &ak, one).unwrap();
    n.refused(&a, close.clone(), Error::GroupNotDeleting).await;
    n.refused(&f, build::close_multicast_group(&n.view, &fk, one).unwrap(), Error::NotActivator).await;

    let pass = n.pass("9.1.0.1").await;
    n.allow(pass, one).await;
    assert_eq!(n.get_group(one).allowlist_count, 2);
    n.refused(&g, ix::delete_multicast_group(&P, &gk, one), Error::GroupInUse).await;
    n.ok(&g, [set_pass_group(&P, &gk, pass, one, None, (false, false))]).await;
    n.ok(&g, [ix::delete_multicast_group(&P, &gk, one)]).await;
    n.refused(&g, ix::delete_multicast_group(&P, &gk, one), Error::GroupDeleting).await;
    // Its rent goes back to the foundation, which paid it, whoever owns it.
    let to_owner = build::close_multicast_group(&n.view, &ak, one).unwrap();
    let to_owner = with_account(to_owner, "group_payer", |meta| meta.pubkey = gk);
    n.refused(&a, to_owner, Error::WrongRentRecipient).await;
    n.refused(&g, set_pass_group(&P, &gk, pass, one, None, (true, false)), Error::GroupDeleting).await;
    // The address goes back to the block it came from.
    let second = dz_sdk::instruction::global_config::add_block;
    let block = "233.84.180.0/24".parse().unwrap();
    n.ok(&f, [second(&P, &fk, PoolKind::MulticastGroupBlock, block)]).await;
    let other = pda::pool(&P, PoolKind::MulticastGroupBlock, &pda::config(&P).0, ip("233.84.180.0").into()).0;
    n.refused(&a, with_account(close, "pool", |meta| meta.pubkey = other), Error::WrongPool).await;
}

fn pool() -> solana_pubkey::Pubkey {
    pda::pool(&P, PoolKind::MulticastGroupBlock, &pda::config(&P).0, ip("233.84.178.0").into()).0
}

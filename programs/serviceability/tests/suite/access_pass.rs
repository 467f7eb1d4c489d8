//! Access passes and their allowlists.

use dz_sdk::{
    build,
    instruction::access_pass::{self as ix, PassLimits},
};
use dz_serviceability::{
    ID as P, pda,
    state::{AccessPass, Requests, UserType},
};
use solana_signer::Signer;

use crate::support::{Error, Net, ip, signer, with_account};

fn limits(last_access_epoch: u64, max_unicast_users: u16, max_multicast_users: u16) -> PassLimits {
    PassLimits { last_access_epoch, max_unicast_users, max_multicast_users }
}

#[tokio::test]
async fn a_life() {
    let mut n = Net::start().await;
    let (f, g) = (signer(&n.keys.foundation), signer(&n.keys.group_owner));
    let (fk, gk, payer) = (f.pubkey(), g.pubkey(), n.keys.payer.pubkey());
    let (group, tenant) = (n.group("mg01", 0).await, n.tenant("acme", 2).await);
    let pass = n.pass_with("0.0.0.0", limits(7, 2, 3), &[tenant]).await;
    let fresh = AccessPass {
        client_ip: ip("0.0.0.0"),
        payer,
        giver: pda::config(&P).0,
        tenants: vec![tenant],
        publish: vec![],
        subscribe: vec![],
        last_access_epoch: 7,
        max_unicast_users: 2,
        max_multicast_users: 3,
        unicast_users: 0,
        multicast_users: 0,
        banned_users: 0,
        requests: Requests::default(),
    };
    assert_eq!((n.get_pass(pass), n.get_tenant(tenant).reference_count), (fresh.clone(), 1));

    n.ok(&g, [ix::set_pass_group(&P, &gk, pass, group, None, (true, true))]).await;
    let allowed = AccessPass { publish: vec![group], subscribe: vec![group], ..fresh.clone() };
    assert_eq!((n.get_pass(pass), n.get_group(group).allowlist_count), (allowed.clone(), 2));
    // Asking for what already is succeeds and changes nothing.
    n.ok(&g, [ix::set_pass_group(&P, &gk, pass, group, None, (true, true))]).await;
    n.ok(&f, [ix::set_pass_tenant(&P, &fk, pass, tenant, true)]).await;
    assert_eq!((n.get_pass(pass), n.get_group(group).allowlist_count), (allowed.clone(), 2));
    // New limits leave the allowlists.
    n.pass_with("0.0.0.0", limits(u64::MAX, 1, 1), &[]).await;
    let limited = AccessPass { last_access_epoch: u64::MAX, max_unicast_users: 1, max_multicast_users: 1, ..allowed };
    assert_eq!(n.get_pass(pass), limited);
    n.ok(&g, [ix::set_pass_group(&P, &gk, pass, group, None, (false, true))]).await;
    assert_eq!(n.get_pass(pass), AccessPass { publish: vec![], ..limited });

    n.ok(&f, build::close_access_pass(&n.view, &fk, pass).unwrap()).await;
    assert_eq!(n.view.access_pass(&pass), None);
    assert_eq!((n.get_group(group).allowlist_count, n.get_tenant(tenant).reference_count), (0, 0));
}

/// What an administrator gives is its tenant's own: it changes nothing that others have given, and no other pass
/// is ever made of it.
#[tokio::test]
async fn a_tenants_administrator_gives_passes_of_its_tenant_and_touches_no_other() {
    let mut n = Net::start().await;
    let (f, t, g) = (signer(&n.keys.foundation), signer(&n.keys.administrator), signer(&n.keys.group_owner));
    let (fk, tk, gk, payer) = (f.pubkey(), t.pubkey(), g.pubkey(), n.keys.payer.pubkey());
    let (mine, group) = (n.tenant("mine", 2).await, n.group("mg01", 0).await);
    let foreign = pda::tenant(&P, "foreign").0;
    n.ok(&f, [dz_sdk::instruction::tenant::create_tenant(&P, &fk, "foreign", vec![])]).await;
    let set = |tenant, most| ix::set_access_pass(&P, &tk, ip("9.1.0.1"), payer, limits(9, most, 0), tenant);
    let address = |tenant| ix::pass_address(&P, ip("9.1.0.1"), &payer, tenant);
    n.refused(&t, set(None, 1), Error::NotFoundation).await;
    n.refused(&t, set(Some(foreign), 1), Error::NotTenantAdministrator).await;
    n.ok(&t, [set(Some(mine), 1)]).await;
    let pass = address(Some(mine));
    assert_eq!((n.get_pass(pass).tenants, n.get_tenant(mine).reference_count), (vec![mine], 1));

    // The foundation's pass for the same is another account: it inherits nothing, and its limits are not the tenant's.
    let given = n.pass("9.1.0.1").await;
    assert_eq!((n.get_pass(given).tenants, n.get_pass(given).max_unicast_users), (vec![], 1));
    n.ok(&t, [set(Some(mine), 7)]).await;
    assert_eq!((n.get_pass(given).max_unicast_users, n.get_pass(pass).max_unicast_users), (1, 7));
    n.refused(&t, ix::set_pass_tenant(&P, &tk, given, mine, true), Error::NotFoundation).await;
    let close = build::close_access_pass_account(&n.view, &tk, given).unwrap();
    n.refused(&t, close, Error::NotFoundation).await;
    let swapped = with_account(set(Some(mine), 9), "access_pass", |meta| meta.pubkey = given);
    n.refused(&t, swapped, Error::WrongPass).await;
    // Nor does the foundation turn a tenant's pass into one of its own.
    n.refused(&f, ix::set_pass_tenant(&P, &fk, pass, foreign, true), Error::PassOfTenant).await;

    // Who gave a pass may empty it, so that it can go, and gives nothing that is a group's to give.
    n.ok(&g, [ix::set_pass_group(&P, &gk, pass, group, None, (true, false))]).await;
    let adds = ix::set_pass_group(&P, &tk, pass, group, Some(mine), (true, true));
    n.refused(&t, adds, Error::NotGroupOwner).await;
    let others = ix::set_pass_group(&P, &tk, given, group, Some(mine), (false, false));
    n.refused(&t, others, Error::WrongTenant).await;
    n.ok(&t, build::close_access_pass(&n.view, &tk, pass).unwrap()).await;
    assert_eq!((n.view.access_pass(&pass), n.get_tenant(mine).reference_count), (None, 0));
    assert_eq!(dz_sdk::audit::audit(&n.view), []);
}

#[tokio::test]
async fn refusals() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (f, s, p) = (signer(&n.keys.foundation), signer(&n.keys.stranger), signer(&n.keys.payer));
    let (fk, sk, payer) = (f.pubkey(), s.pubkey(), p.pubkey());
    let set = |key, client, limits| ix::set_access_pass(&P, key, ip(client), payer, limits, None);
    n.refused(&s, set(&sk, "9.1.0.1", limits(9, 1, 1)), Error::NotFoundation).await;
    n.refused(&f, set(&fk, "10.0.0.1", limits(9, 1, 1)), Error::AddressNotPublic).await;
    let (group, pass) = (n.group("mg01", 0).await, n.pass("9.1.0.1").await);
    let other = n.pass("9.1.0.2").await;
    let swapped = with_account(set(&fk, "9.1.0.1", limits(9, 1, 1)), "access_pass", |meta| meta.pubkey = other);
    n.refused(&f, swapped, Error::WrongPass).await;
    n.refused(&s, ix::set_pass_group(&P, &sk, pass, group, None, (true, true)), Error::NotGroupOwner).await;
    n.refused(&p, ix::set_pass_group(&P, &payer, pass, group, None, (true, true)), Error::NotGroupOwner).await;

    let close = build::close_access_pass_account(&n.view, &sk, pass).unwrap();
    n.refused(&s, close, Error::NotFoundation).await;
    n.allow(pass, group).await;
    // Its payer may do without what the owners of groups have put into it, and nobody else.
    let without = |by| ix::set_pass_group(&P, by, pass, group, None, (false, true));
    n.refused(&s, without(&sk), Error::NotGroupOwner).await;
    n.ok(&p, [without(&payer)]).await;
    assert_eq!((n.get_pass(pass).publish, n.get_pass(pass).subscribe), (vec![], vec![group]));
    n.refused(&p, ix::set_pass_group(&P, &payer, pass, group, None, (true, true)), Error::NotGroupOwner).await;
    let close = build::close_access_pass_account(&n.view, &fk, pass).unwrap();
    n.refused(&f, close, Error::PassHasEntries).await;
    n.pending_user("9.1.0.1", "9.0.1.1", UserType::Ibrl, vec![]).await;
    let close = build::close_access_pass_account(&n.view, &fk, pass).unwrap();
    n.refused(&f, close, Error::PassInUse).await;

    n.warp_to_epoch(3);
    n.blockhash().await;
    n.refused(&f, set(&fk, "9.1.0.1", limits(2, 1, 1)), Error::EpochInPast).await;
    n.ok(&f, [set(&fk, "9.1.0.1", limits(0, 1, 1))]).await;
    n.ok(&f, [set(&fk, "9.1.0.1", limits(3, 1, 1))]).await;
}

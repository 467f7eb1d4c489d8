//! Access passes and their allowlists.

use dz_sdk::{
    build,
    instruction::access_pass::{self as ix, PassLimits},
};
use dz_serviceability::{
    ID as P, pda,
    state::{AccessPass, UserType},
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
        tenants: vec![tenant],
        publish: vec![],
        subscribe: vec![],
        last_access_epoch: 7,
        max_unicast_users: 2,
        max_multicast_users: 3,
        unicast_users: 0,
        multicast_users: 0,
        banned_users: 0,
    };
    assert_eq!((n.get_pass(pass), n.get_tenant(tenant).reference_count), (fresh.clone(), 1));

    n.ok(&g, [ix::set_pass_group(&P, &gk, pass, group, true, true)]).await;
    let allowed = AccessPass { publish: vec![group], subscribe: vec![group], ..fresh.clone() };
    assert_eq!((n.get_pass(pass), n.get_group(group).allowlist_count), (allowed.clone(), 2));
    // Asking for what already is succeeds and changes nothing.
    n.ok(&g, [ix::set_pass_group(&P, &gk, pass, group, true, true)]).await;
    n.ok(&f, [ix::set_pass_tenant(&P, &fk, pass, tenant, true)]).await;
    assert_eq!((n.get_pass(pass), n.get_group(group).allowlist_count), (allowed.clone(), 2));
    // New limits leave the allowlists.
    n.pass_with("0.0.0.0", limits(u64::MAX, 1, 1), &[]).await;
    let limited = AccessPass { last_access_epoch: u64::MAX, max_unicast_users: 1, max_multicast_users: 1, ..allowed };
    assert_eq!(n.get_pass(pass), limited);
    n.ok(&g, [ix::set_pass_group(&P, &gk, pass, group, false, true)]).await;
    assert_eq!(n.get_pass(pass), AccessPass { publish: vec![], ..limited });

    n.ok(&f, build::close_access_pass(&n.view, &fk, pass).unwrap()).await;
    assert_eq!(n.view.access_pass(&pass), None);
    assert_eq!((n.get_group(group).allowlist_count, n.get_tenant(tenant).reference_count), (0, 0));
}

#[tokio::test]
async fn a_tenants_administrator_stays_within_its_tenants() {
    let mut n = Net::start().await;
    let (f, t) = (signer(&n.keys.foundation), signer(&n.keys.administrator));
    let (fk, tk, payer) = (f.pubkey(), t.pubkey(), n.keys.payer.pubkey());
    let (mine, also) = (n.tenant("mine", 2).await, n.tenant("also", 3).await);
    let foreign = pda::tenant(&P, "foreign").0;
    n.ok(&f, [dz_sdk::instruction::tenant::create_tenant(&P, &fk, "foreign", vec![])]).await;
    let set = |tenants: &[_]| ix::set_access_pass(&P, &tk, ip("9.1.0.1"), payer, limits(9, 1, 0), tenants);
    n.refused(&t, set(&[]), Error::NotTenantAdministrator).await;
    n.refused(&t, set(&[foreign]), Error::NotTenantAdministrator).await;
    n.refused(&t, set(&[mine, foreign]), Error::NotTenantAdministrator).await;
    n.ok(&t, [set(&[mine, also])]).await;
    let pass = pda::access_pass(&P, ip("9.1.0.1"), &payer).0;
    assert_eq!(n.get_pass(pass).tenants, [mine, also]);
    // It must name all that the pass is for.
    n.refused(&t, set(&[mine]), Error::NotTenantAdministrator).await;
    n.refused(&t, ix::set_pass_tenant(&P, &tk, pass, foreign, true), Error::NotTenantAdministrator).await;
    n.ok(&f, [ix::set_pass_tenant(&P, &fk, pass, foreign, true)]).await;
    n.refused(&t, set(&[mine, also]), Error::NotTenantAdministrator).await;
    n.ok(&t, [ix::set_pass_tenant(&P, &tk, pass, also, false)]).await;
    assert_eq!(n.get_pass(pass).tenants, [mine, foreign]);
    // Neither the last tenant nor the first one is its to take or to give: without one, a pass is for everybody's VRF.
    n.ok(&f, [ix::set_pass_tenant(&P, &fk, pass, foreign, false)]).await;
    n.refused(&t, ix::set_pass_tenant(&P, &tk, pass, mine, false), Error::OnlyTenant).await;
    n.ok(&t, [ix::set_pass_tenant(&P, &tk, pass, also, true)]).await;
    n.ok(&t, [ix::set_pass_tenant(&P, &tk, pass, also, false)]).await;
    let open = n.pass("9.1.0.9").await;
    n.refused(&t, ix::set_pass_tenant(&P, &tk, open, mine, true), Error::OnlyTenant).await;
    let take = ix::set_access_pass(&P, &tk, ip("9.1.0.9"), payer, limits(0, 0, 0), &[mine]);
    n.refused(&t, take, Error::NotTenantAdministrator).await;
    n.ok(&f, [ix::set_pass_tenant(&P, &fk, open, mine, true)]).await;
}

#[tokio::test]
async fn refusals() {
    let mut n = Net::with_metro().await;
    n.device("nyc1", "9.0.0.1", "9.0.1.0/29").await;
    let (f, s, p) = (signer(&n.keys.foundation), signer(&n.keys.stranger), signer(&n.keys.payer));
    let (fk, sk, payer) = (f.pubkey(), s.pubkey(), p.pubkey());
    let set = |key, client, limits| ix::set_access_pass(&P, key, ip(client), payer, limits, &[]);
    n.refused(&s, set(&sk, "9.1.0.1", limits(9, 1, 1)), Error::NotTenantAdministrator).await;
    n.refused(&f, set(&fk, "10.0.0.1", limits(9, 1, 1)), Error::AddressNotPublic).await;
    let (group, pass) = (n.group("mg01", 0).await, n.pass("9.1.0.1").await);
    let other = n.pass("9.1.0.2").await;
    let swapped = with_account(set(&fk, "9.1.0.1", limits(9, 1, 1)), 1, |meta| meta.pubkey = other);
    n.refused(&f, swapped, Error::WrongPass).await;
    n.refused(&s, ix::set_pass_group(&P, &sk, pass, group, true, true), Error::NotGroupOwner).await;
    n.refused(&p, ix::set_pass_group(&P, &payer, pass, group, true, true), Error::NotGroupOwner).await;

    n.refused(&s, ix::close_access_pass(&P, &sk, pass), Error::NotFoundation).await;
    n.allow(pass, group).await;
    n.refused(&f, ix::close_access_pass(&P, &fk, pass), Error::PassHasEntries).await;
    n.pending_user("9.1.0.1", "9.0.1.1", UserType::Ibrl, vec![]).await;
    n.refused(&f, ix::close_access_pass(&P, &fk, pass), Error::PassInUse).await;

    n.warp_to_epoch(3);
    n.blockhash().await;
    n.refused(&f, set(&fk, "9.1.0.1", limits(2, 1, 1)), Error::EpochInPast).await;
    n.ok(&f, [set(&fk, "9.1.0.1", limits(0, 1, 1))]).await;
    n.ok(&f, [set(&fk, "9.1.0.1", limits(3, 1, 1))]).await;
}

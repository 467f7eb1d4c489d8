//! Tenants and their VRF ids.

use dz_sdk::{
    build,
    instruction::{self as all, tenant as ix},
};
use dz_serviceability::{
    ID as P, pda,
    state::{PoolKind, Requests, Tenant, TenantStatus},
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::support::{Error, Net, signer, with_account};

#[tokio::test]
async fn a_life() {
    let mut n = Net::start().await;
    let (f, a, admin) = (signer(&n.keys.foundation), signer(&n.keys.activator), n.keys.administrator.pubkey());
    let (fk, ak) = (f.pubkey(), a.pubkey());
    let tenant = pda::tenant(&P, "Acme").0;
    n.ok(&f, [ix::create_tenant(&P, &fk, "Acme", vec![admin])]).await;
    let fresh = Tenant {
        code: "Acme".into(),
        administrators: vec![admin],
        status: TenantStatus::Pending,
        vrf_id: None,
        reference_count: 0,
        requests: Requests::default(),
    };
    assert_eq!(n.get_tenant(tenant), fresh);
    n.ok(&a, [ix::activate_tenant(&P, &ak, tenant, 2)]).await;
    let active = Tenant { status: TenantStatus::Activated, vrf_id: Some(2), ..fresh };
    assert_eq!(n.get_tenant(tenant), active);
    let ids = |n: &Net| n.view.pool_at(PoolKind::VrfIds, &pda::config(&P).0, 1).unwrap().1.taken().collect::<Vec<_>>();
    assert_eq!(ids(&n), [2]);
    n.ok(&f, [ix::update_tenant(&P, &fk, tenant, vec![])]).await;
    assert_eq!(n.get_tenant(tenant), Tenant { administrators: vec![], ..active });
    n.ok(&f, [ix::delete_tenant(&P, &fk, tenant)]).await;
    assert_eq!(n.get_tenant(tenant).status, TenantStatus::Deleting);
    n.ok(&a, [build::close_tenant(&n.view, &ak, tenant)]).await;
    assert_eq!((n.view.tenant(&tenant), ids(&n)), (None, vec![]));
}

#[tokio::test]
async fn refusals() {
    let mut n = Net::start().await;
    let (f, a, s) = (signer(&n.keys.foundation), signer(&n.keys.activator), signer(&n.keys.stranger));
    let (fk, ak, sk) = (f.pubkey(), a.pubkey(), s.pubkey());
    let many = vec![Pubkey::default(); 17];
    n.refused(&s, ix::create_tenant(&P, &sk, "t", vec![]), Error::NotFoundation).await;
    n.refused(&f, ix::create_tenant(&P, &fk, "", vec![]), Error::InvalidCode).await;
    n.refused(&f, ix::create_tenant(&P, &fk, "t", many.clone()), Error::TooManyKeys).await;
    let (one, two) = (n.tenant("one", 2).await, pda::tenant(&P, "two").0);
    n.ok(&f, [ix::create_tenant(&P, &fk, "two", vec![])]).await;
    n.refused(&f, ix::create_tenant(&P, &fk, "two", vec![]), Error::AlreadyExists).await;

    n.refused(&f, ix::update_tenant(&P, &fk, one, many), Error::TooManyKeys).await;
    n.refused(&s, ix::update_tenant(&P, &sk, one, vec![]), Error::NotFoundation).await;
    n.refused(&f, ix::activate_tenant(&P, &fk, two, 3), Error::NotActivator).await;
    n.refused(&a, ix::activate_tenant(&P, &ak, one, 3), Error::TenantNotPending).await;
    // VRF 1 is everybody's without a tenant (the live network's first tenant shares it).
    n.refused(&a, ix::activate_tenant(&P, &ak, two, 1), Error::ReservedUnit).await;
    n.refused(&a, ix::activate_tenant(&P, &ak, two, 2), Error::UnitTaken).await;
    n.refused(&a, ix::activate_tenant(&P, &ak, two, 0), Error::OutsidePool).await;
    n.refused(&a, ix::activate_tenant(&P, &ak, two, 1024), Error::OutsidePool).await;
    let wrong = pda::pool(&P, PoolKind::UserTunnelBlock, &pda::config(&P).0, u32::from_be_bytes([169, 254, 0, 0])).0;
    let activate = with_account(ix::activate_tenant(&P, &ak, two, 3), "vrf_ids", |meta| meta.pubkey = wrong);
    n.refused(&a, activate, Error::WrongPool).await;
    n.refused(&s, ix::delete_tenant(&P, &sk, one), Error::NotFoundation).await;
    let close = build::close_tenant(&n.view, &fk, one);
    n.refused(&f, close, Error::NotActivator).await;
    let close = build::close_tenant(&n.view, &ak, one);
    n.refused(&a, close, Error::TenantNotDeleting).await;

    let pass = n.pass_with("9.1.0.1", Default::default(), &[one]).await;
    assert_eq!(n.get_tenant(one).reference_count, 1);
    n.refused(&f, ix::delete_tenant(&P, &fk, one), Error::TenantInUse).await;
    n.ok(&f, [all::access_pass::set_pass_tenant(&P, &fk, pass, one, false)]).await;
    n.ok(&f, [ix::delete_tenant(&P, &fk, one)]).await;
    n.refused(&f, ix::delete_tenant(&P, &fk, one), Error::TenantDeleting).await;
    n.refused(&f, ix::update_tenant(&P, &fk, one, vec![]), Error::TenantDeleting).await;
    n.refused(&f, all::access_pass::set_pass_tenant(&P, &fk, pass, one, true), Error::TenantDeleting).await;
}

//! Gives a tenant its VRF id.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{PoolKind, Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ActivateTenant<Info<'a, 'info>>,
    vrf_id: u16,
) -> Result {
    ctx.activator()?;
    let mut tenant = ctx.read::<Tenant>(a.tenant)?;
    let mut ids = ctx.read_global_pool(a.vrf_ids, PoolKind::VrfIds)?;
    ensure!(tenant.status == TenantStatus::Pending, TenantNotPending);
    ids.claim(vrf_id.into(), 1)?;
    tenant.vrf_id = Some(vrf_id);
    tenant.status = TenantStatus::Activated;
    ctx.save(&ids)?;
    ctx.save(&tenant)
}

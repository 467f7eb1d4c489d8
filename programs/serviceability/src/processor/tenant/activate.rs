//! Gives a tenant its VRF id.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{PoolKind, Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, vrf_id: u16) -> Result {
    ctx.activator()?;
    let mut tenant = ctx.load::<Tenant>()?;
    let mut ids = ctx.load_global_pool(PoolKind::VrfIds)?;
    ensure!(tenant.status == TenantStatus::Pending, TenantNotPending);
    ids.claim(vrf_id.into(), 1)?;
    tenant.vrf_id = Some(vrf_id);
    tenant.status = TenantStatus::Activated;
    ctx.save(&ids)?;
    ctx.save(&tenant)
}

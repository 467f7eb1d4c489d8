//! Releases the VRF id of a tenant that goes away and closes it.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{PoolKind, Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let tenant = ctx.load::<Tenant>()?;
    let mut ids = ctx.load_global_pool(PoolKind::VrfIds)?;
    ensure!(tenant.status == TenantStatus::Deleting, TenantNotDeleting);
    if let Some(vrf_id) = tenant.vrf_id {
        ids.release(vrf_id.into(), 1)?;
        ctx.save(&ids)?;
    }
    ctx.close(tenant, ctx.signer)
}

//! Releases the VRF id of a tenant that goes away and closes it.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{PoolKind, Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CloseTenant<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let tenant = ctx.read::<Tenant>(a.tenant)?;
    let mut ids = ctx.read_global_pool(a.vrf_ids, PoolKind::VrfIds)?;
    ensure!(tenant.status == TenantStatus::Deleting, TenantNotDeleting);
    if let Some(vrf_id) = tenant.vrf_id {
        ids.release(vrf_id.into(), 1)?;
        ctx.save(&ids)?;
    }
    ctx.close(tenant, a.tenant_payer)
}

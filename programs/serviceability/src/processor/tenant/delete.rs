//! Starts a tenant's end; nothing may refer to it.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteTenant<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let mut tenant = ctx.read::<Tenant>(a.tenant)?;
    ensure!(tenant.status != TenantStatus::Deleting, TenantDeleting);
    ensure!(tenant.reference_count == 0, TenantInUse);
    tenant.status = TenantStatus::Deleting;
    ctx.save(&tenant)
}

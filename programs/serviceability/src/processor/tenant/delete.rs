//! Starts a tenant's end; nothing may refer to it.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let mut tenant = ctx.load::<Tenant>()?;
    ensure!(tenant.status != TenantStatus::Deleting, TenantDeleting);
    ensure!(tenant.reference_count == 0, TenantInUse);
    tenant.status = TenantStatus::Deleting;
    ctx.save(&tenant)
}

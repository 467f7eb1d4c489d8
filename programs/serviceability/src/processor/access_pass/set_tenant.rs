//! Allows or forbids a pass of the foundation's a tenant. Users that are in the tenant stay.

use super::TENANTS;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    processor::key_list,
    state::{AccessPass, Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SetPassTenant<Info<'a, 'info>>,
    allowed: bool,
) -> Result {
    ctx.foundation()?;
    let mut pass = ctx.read::<AccessPass>(a.access_pass)?;
    let mut tenant = ctx.read::<Tenant>(a.tenant)?;
    ensure!(ctx.foundation_gave(&pass), PassOfTenant);
    let adds = allowed && !pass.tenants.contains(tenant.key());
    ensure!(!adds || tenant.status != TenantStatus::Deleting, TenantDeleting);
    let key = tenant.key();
    key_list::set(&mut pass.tenants, key, allowed, TENANTS, &mut tenant.reference_count)?;
    ctx.save(&tenant)?;
    ctx.save(&pass)
}

//! Allows or forbids a pass a tenant. Users that are in the tenant stay.
//!
//! A pass without tenants is for users without a tenant. So a tenant's administrator may neither give a pass its first
//! tenant, which would shut such users out, nor take the last one, which would let its users into everybody's VRF.

use super::{TENANTS, allow_tenant};
use crate::{
    accounts::Context,
    error::{Result, ensure},
    processor::member,
    state::{AccessPass, Tenant},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, allowed: bool) -> Result {
    let mut pass = ctx.load::<AccessPass>()?;
    let mut tenant = ctx.load::<Tenant>()?;
    ctx.tenant_administrator(&tenant)?;
    let others = pass.tenants.iter().any(|other| other != tenant.key());
    let changes = allowed != pass.tenants.contains(tenant.key());
    ensure!(others || !changes || ctx.signer_is_foundation(), OnlyTenant);
    if allowed {
        allow_tenant(ctx, &mut pass, &mut tenant)?;
    } else {
        let key = tenant.key();
        member::set(&mut pass.tenants, key, false, TENANTS, &mut tenant.reference_count)?;
        ctx.save(&tenant)?;
    }
    ctx.save(&pass)
}

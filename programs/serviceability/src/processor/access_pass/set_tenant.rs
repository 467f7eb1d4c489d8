//! Allows or forbids a pass a tenant. Users that are in the tenant stay.
//!
//! A pass without tenants is for users without a tenant. So a tenant's administrator may neither give a pass its first
//! tenant, which would shut such users out, nor take the last one, which would let its users into everybody's VRF.

use super::allow_tenant;
use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
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
    } else if pass.tenants.contains(tenant.key()) {
        pass.tenants.retain(|other| other != tenant.key());
        tenant.reference_count.down()?;
        ctx.save(&tenant)?;
    }
    ctx.save(&pass)
}

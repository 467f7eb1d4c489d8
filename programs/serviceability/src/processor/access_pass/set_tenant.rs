//! Allows or forbids a pass a tenant. Users that are in the tenant stay.

use super::allow_tenant;
use crate::{
    accounts::Context,
    counter::Counter,
    error::Result,
    state::{AccessPass, Tenant},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, allowed: bool) -> Result {
    let mut pass = ctx.load::<AccessPass>()?;
    let mut tenant = ctx.load::<Tenant>()?;
    ctx.tenant_administrator(&tenant)?;
    if allowed {
        allow_tenant(ctx, &mut pass, &mut tenant)?;
    } else if pass.tenants.contains(tenant.key()) {
        pass.tenants.retain(|other| other != tenant.key());
        tenant.reference_count.down()?;
        ctx.save(&tenant)?;
    }
    ctx.save(&pass)
}

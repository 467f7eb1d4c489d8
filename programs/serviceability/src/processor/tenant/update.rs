//! Sets a tenant's administrators.

use solana_pubkey::Pubkey;

use super::MAX_ADMINISTRATORS;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, administrators: Vec<Pubkey>) -> Result {
    ctx.foundation()?;
    ensure!(administrators.len() <= MAX_ADMINISTRATORS, TooManyKeys);
    let mut tenant = ctx.load::<Tenant>()?;
    ensure!(tenant.status != TenantStatus::Deleting, TenantDeleting);
    tenant.administrators = administrators;
    ctx.save(&tenant)
}

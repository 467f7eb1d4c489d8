//! Sets a tenant's administrators.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Tenant, TenantStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::UpdateTenant<Info<'a, 'info>>,
    administrators: Vec<Pubkey>,
) -> Result {
    ctx.foundation()?;
    ensure!(administrators.len() <= Tenant::MAX_ADMINISTRATORS, TooManyKeys);
    let mut tenant = ctx.read::<Tenant>(a.tenant)?;
    ensure!(tenant.status != TenantStatus::Deleting, TenantDeleting);
    tenant.administrators = administrators;
    ctx.save(&tenant)
}

//! Creates a tenant, which then waits for its VRF id.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    pda::Place,
    state::{Requests, Tenant, TenantStatus},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateTenant<Info<'a, 'info>>,
    code: String,
    administrators: Vec<Pubkey>,
) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    ensure!(administrators.len() <= Tenant::MAX_ADMINISTRATORS, TooManyKeys);
    let value = Tenant {
        code: code.clone(),
        administrators,
        status: TenantStatus::Pending,
        vrf_id: None,
        reference_count: 0,
        requests: Requests::default(),
    };
    ctx.create(a.tenant, Place::Tenant(&code), value)
}

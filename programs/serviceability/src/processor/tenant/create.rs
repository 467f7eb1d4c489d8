//! Creates a tenant, which then waits for its VRF id.

use solana_pubkey::Pubkey;

use super::MAX_ADMINISTRATORS;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    pda::Place,
    state::{Tenant, TenantStatus},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, code: String, administrators: Vec<Pubkey>) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    ensure!(administrators.len() <= MAX_ADMINISTRATORS, TooManyKeys);
    let info = ctx.take()?;
    let value =
        Tenant { code: code.clone(), administrators, status: TenantStatus::Pending, vrf_id: None, reference_count: 0 };
    ctx.create(info, Place::Tenant(&code), value)
}

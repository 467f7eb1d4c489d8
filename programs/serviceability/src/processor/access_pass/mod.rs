//! Access passes and their allowlists.

pub(super) mod close;
pub(super) mod set;
pub(super) mod set_group;
pub(super) mod set_tenant;

use crate::{
    accounts::{Account, Context},
    error::{Result, ServiceabilityError, ensure},
    processor::member::{self, Limit},
    state::{AccessPass, Tenant, TenantStatus},
};

/// The most tenants a pass can name.
const TENANTS: Limit = Limit { most: 16, refusal: ServiceabilityError::TooManyKeys };
/// The most groups an allowlist of a pass can name.
const GROUPS: Limit = Limit { most: 128, refusal: ServiceabilityError::TooManyKeys };

/// Adds a tenant to a pass; nothing when it is there.
fn allow_tenant<'a, 'info>(
    ctx: &Context<'a, 'info>,
    pass: &mut AccessPass,
    tenant: &mut Account<'a, 'info, Tenant>,
) -> Result {
    if pass.tenants.contains(tenant.key()) {
        return Ok(());
    }
    ensure!(tenant.status != TenantStatus::Deleting, TenantDeleting);
    let key = tenant.key();
    member::set(&mut pass.tenants, key, true, TENANTS, &mut tenant.reference_count)?;
    ctx.save(tenant)
}

/// The epoch that the clock sysvar, the next account, tells. A native program cannot ask for it otherwise.
pub(in crate::processor) fn load_epoch(ctx: &mut Context) -> Result<u64> {
    /// slot u64, epoch_start_timestamp i64, epoch u64, ...
    const EPOCH: std::ops::Range<usize> = 16..24;
    let clock = ctx.take()?;
    ensure!(*clock.key == solana_sysvar::clock::ID, NotClock);
    let data = clock.try_borrow_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
    let bytes = data.get(EPOCH).and_then(|bytes| bytes.try_into().ok()).ok_or(ServiceabilityError::NotClock)?;
    Ok(u64::from_le_bytes(bytes))
}

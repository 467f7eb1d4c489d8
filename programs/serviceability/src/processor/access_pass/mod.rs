//! Access passes and their allowlists.
//!
//! The giver of a pass is in its address: the foundation, or a tenant for its administrators. So no giver changes what another
//! else gave, and a pass that a tenant gave allows that tenant and no other.

pub(super) mod close;
pub(super) mod set;
pub(super) mod set_group;
pub(super) mod set_tenant;

use crate::{
    accounts::{Account, Context, Info},
    error::{Result, ServiceabilityError, ensure},
    processor::key_list::Limit,
    state::{AccessPass, Tenant},
};

/// The most tenants a pass can name.
const TENANTS: Limit = Limit { most: AccessPass::MAX_TENANTS, refusal: ServiceabilityError::TooManyKeys };
/// The most groups an allowlist of a pass can name.
const GROUPS: Limit = Limit { most: AccessPass::MAX_GROUPS, refusal: ServiceabilityError::TooManyKeys };

/// Counts one more request of the pass's payer, which a tenant that gave the pass has a say in, too.
pub(super) fn count_request<'a, 'info>(
    ctx: &Context<'a, 'info>,
    pass: &mut AccessPass,
    tenant: Option<Info<'a, 'info>>,
    unix_time: i64,
) -> Result {
    let most = pass.requests_per_hour();
    ensure!(pass.requests.count(unix_time, 1, most), TooManyRequests);
    if ctx.foundation_gave(pass) {
        return Ok(());
    }
    let mut tenant = ctx.read::<Tenant>(tenant.ok_or(ServiceabilityError::TenantRequired)?)?;
    ensure!(*tenant.key() == pass.giver, TenantNotAllowed);
    ensure!(tenant.requests.count(unix_time, 1, Tenant::REQUESTS_PER_HOUR), TooManyRequests);
    ctx.save(&tenant)
}

/// Whether the signer may act for who gave the pass: the foundation, or an administrator of this tenant.
fn read_giver<'a, 'info>(
    ctx: &Context<'a, 'info>,
    pass: &AccessPass,
    tenant: Option<Info<'a, 'info>>,
) -> Result<Option<Account<'a, 'info, Tenant>>> {
    match tenant {
        None => {
            ensure!(ctx.foundation_gave(pass), MissingAccount);
            ctx.foundation()?;
            Ok(None)
        }
        Some(info) => {
            let tenant = ctx.read::<Tenant>(info)?;
            ensure!(pass.giver == *tenant.key(), WrongTenant);
            ctx.tenant_administrator(&tenant)?;
            Ok(Some(tenant))
        }
    }
}

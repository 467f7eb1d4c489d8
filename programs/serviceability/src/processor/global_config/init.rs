//! Creates the config and the VRF id pool; the signer becomes foundation and, until it names another, activator.

use crate::{
    accounts::Accounts,
    error::{Result, ServiceabilityError, ensure},
    instruction::{DEFAULT_VRF_ID, LAST_VRF_ID},
    pda::Place,
    state::{ConfigNumbers, GlobalConfig, Pool, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(accounts: &mut Accounts, args: ConfigNumbers) -> Result {
    let config = accounts.config_info();
    let vrf_ids = accounts.take()?;
    accounts.finish()?;
    ensure!(!accounts.exists(config)?, AlreadyInitialized);
    super::check(&args)?;
    let value = GlobalConfig::new(*accounts.signer.key, args);
    accounts.create(config, Place::Config, value)?;

    let (kind, owner, base) = (PoolKind::VrfIds, *config.key, u32::from(DEFAULT_VRF_ID));
    let count = u32::from(LAST_VRF_ID.checked_sub(DEFAULT_VRF_ID).ok_or(ServiceabilityError::CounterOverflow)?) + 1;
    // The first id is every user's without a tenant.
    accounts.create(vrf_ids, Place::Pool { kind, owner: &owner, base }, Pool::new(kind, owner, base, 1, count, 1))
}

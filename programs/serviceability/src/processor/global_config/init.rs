//! Creates the config and the VRF id pool. Only the program's upgrade authority may: the deployer of a program is the only
//! key that the program can verify before there is a config. It becomes foundation and, until it names another,
//! activator.

use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    accounts::{Accounts, Info},
    error::{Result, ServiceabilityError, ensure},
    instruction::{DEFAULT_VRF_ID, LAST_VRF_ID},
    lists,
    pda::Place,
    state::{ConfigNumbers, GlobalConfig, Pool, PoolKind},
    upgrade,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    accounts: &Accounts<'a, 'info>,
    a: lists::InitGlobalConfig<Info<'a, 'info>>,
    args: ConfigNumbers,
) -> Result {
    let authority = upgrade_authority(accounts.program(), a.program_data)?;
    ensure!(authority == *accounts.signer.key, NotUpgradeAuthority);
    ensure!(!accounts.exists(a.config)?, AlreadyInitialized);
    super::check(&args)?;
    let (kind, owner, base) = (PoolKind::VrfIds, *a.config.key, u32::from(DEFAULT_VRF_ID));
    let count = u32::from(LAST_VRF_ID.checked_sub(DEFAULT_VRF_ID).ok_or(ServiceabilityError::CounterOverflow)?) + 1;
    // The first id is every user's without a tenant.
    let ids = Pool::new(kind, owner, base, 1, count, 1);
    accounts.create(a.vrf_ids, Place::Pool { kind, owner: &owner, base }, ids)?;
    // The config counts itself, too.
    let lives = accounts.lives().checked_add(1).ok_or(ServiceabilityError::CounterOverflow)?;
    let config = GlobalConfig { lives, ..GlobalConfig::new(*accounts.signer.key, args) };
    accounts.create(a.config, Place::Config, config)
}

/// The key that may upgrade the program, as the loader notes it.
fn upgrade_authority(program: &Pubkey, program_data: &AccountInfo) -> Result<Pubkey> {
    ensure!(*program_data.key == upgrade::program_data(program), WrongProgramData);
    ensure!(*program_data.owner == upgrade::LOADER, WrongProgramData);
    let data = program_data.try_borrow_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
    upgrade::authority(&data).ok_or(ServiceabilityError::NotUpgradeAuthority)
}

//! Adds a foundation key.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::GlobalConfig,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    _: lists::AddFoundation<Info<'a, 'info>>,
    key: Pubkey,
) -> Result {
    ctx.foundation()?;
    ensure!(!ctx.config.is_foundation(&key), AlreadyFoundation);
    ensure!(ctx.config.foundation.len() < GlobalConfig::MAX_FOUNDATION, TooManyKeys);
    ctx.config.foundation.push(key);
    ctx.save_config()
}

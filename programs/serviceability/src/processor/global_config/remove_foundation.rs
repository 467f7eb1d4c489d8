//! Removes a foundation key; the last one stays, or the config could never change again.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    _: lists::RemoveFoundation<Info<'a, 'info>>,
    key: Pubkey,
) -> Result {
    ctx.foundation()?;
    ensure!(ctx.config.is_foundation(&key), NotInFoundation);
    ensure!(ctx.config.foundation.len() > 1, LastFoundationKey);
    ctx.config.foundation.retain(|other| *other != key);
    ctx.save_config()
}

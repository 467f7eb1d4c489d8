//! Adds a foundation key.

use solana_pubkey::Pubkey;

use super::MAX_FOUNDATION;
use crate::{
    accounts::Context,
    error::{Result, ensure},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, key: Pubkey) -> Result {
    ctx.foundation()?;
    ensure!(!ctx.config.is_foundation(&key), AlreadyFoundation);
    ensure!(ctx.config.foundation.len() < MAX_FOUNDATION, TooManyKeys);
    ctx.config.foundation.push(key);
    ctx.save_config()
}

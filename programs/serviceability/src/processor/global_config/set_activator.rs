//! Names the key that allocates.

use solana_pubkey::Pubkey;

use crate::{accounts::Context, error::Result};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, key: Pubkey) -> Result {
    ctx.foundation()?;
    ctx.config.activator = key;
    ctx.save_config()
}

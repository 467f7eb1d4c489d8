//! Names the key that allocates.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::Result,
    lists,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    _: lists::SetActivator<Info<'a, 'info>>,
    key: Pubkey,
) -> Result {
    ctx.foundation()?;
    ctx.config.activator = key;
    ctx.save_config()
}

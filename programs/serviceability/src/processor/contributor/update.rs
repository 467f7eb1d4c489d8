//! Gives a contributor to another owner, and grants it blocks.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::Result,
    lists,
    state::Contributor,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::UpdateContributor<Info<'a, 'info>>,
    owner: Pubkey,
    granted_blocks: u8,
) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    contributor.owner = owner;
    contributor.granted_blocks = granted_blocks;
    ctx.save(&contributor)
}

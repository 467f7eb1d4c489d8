//! Gives a contributor to another owner.

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
) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    contributor.owner = owner;
    ctx.save(&contributor)
}

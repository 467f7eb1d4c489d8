//! Closes a contributor that has given everything back.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CloseContributor<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let contributor = ctx.read::<Contributor>(a.contributor)?;
    ensure!(contributor.status == ContributorStatus::Deleting, ContributorNotDeleting);
    ensure!(contributor.blocks.is_empty(), ContributorHasBlocks);
    ctx.close(contributor, a.contributor_payer)
}

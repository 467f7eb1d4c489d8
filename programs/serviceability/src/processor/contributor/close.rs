//! Closes a contributor that has given everything back.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let contributor = ctx.load::<Contributor>()?;
    let owner = ctx.rent_recipient(&contributor.owner)?;
    ensure!(contributor.status == ContributorStatus::Deleting, ContributorNotDeleting);
    ensure!(contributor.blocks.is_empty(), ContributorHasBlocks);
    ctx.close(contributor, owner)
}

//! Gives a contributor to another owner.

use solana_pubkey::Pubkey;

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, owner: Pubkey) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.load::<Contributor>()?;
    ensure!(contributor.status != ContributorStatus::Deleting, ContributorDeleting);
    contributor.owner = owner;
    ctx.save(&contributor)
}

//! Starts a contributor's end; nothing may refer to it.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteContributor<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    ensure!(contributor.status != ContributorStatus::Deleting, ContributorDeleting);
    ensure!(contributor.reference_count == 0, ContributorInUse);
    contributor.status = ContributorStatus::Deleting;
    ctx.save(&contributor)
}

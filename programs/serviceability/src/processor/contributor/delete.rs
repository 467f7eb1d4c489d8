//! Starts a contributor's end; nothing may refer to it, and it has taken its prefixes back.

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
    ensure!(contributor.prefixes.is_empty(), ContributorHasPrefixes);
    contributor.status = ContributorStatus::Deleting;
    ctx.save(&contributor)
}

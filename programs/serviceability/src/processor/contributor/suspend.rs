//! Lets a contributor take nothing until it is resumed.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SuspendContributor<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    ensure!(contributor.status == ContributorStatus::Activated, ContributorNotActive);
    contributor.status = ContributorStatus::Suspended;
    ctx.save(&contributor)
}

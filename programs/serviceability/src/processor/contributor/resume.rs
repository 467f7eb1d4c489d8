//! Lets a suspended contributor add again.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ResumeContributor<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    ensure!(contributor.status == ContributorStatus::Suspended, ContributorNotSuspended);
    contributor.status = ContributorStatus::Activated;
    ctx.save(&contributor)
}

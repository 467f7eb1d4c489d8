//! Starts a contributor's end; nothing may refer to it.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.load::<Contributor>()?;
    ensure!(contributor.status != ContributorStatus::Deleting, ContributorDeleting);
    ensure!(contributor.reference_count == 0, ContributorInUse);
    contributor.status = ContributorStatus::Deleting;
    ctx.save(&contributor)
}

//! Lets a contributor add nothing until it is resumed.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.load::<Contributor>()?;
    ensure!(contributor.status == ContributorStatus::Activated, ContributorNotActive);
    contributor.status = ContributorStatus::Suspended;
    ctx.save(&contributor)
}

//! Lets a suspended contributor add again.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Contributor, ContributorStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let mut contributor = ctx.load::<Contributor>()?;
    ensure!(contributor.status == ContributorStatus::Suspended, ContributorNotSuspended);
    contributor.status = ContributorStatus::Activated;
    ctx.save(&contributor)
}

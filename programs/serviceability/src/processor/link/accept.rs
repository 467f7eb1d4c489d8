//! Side Z agrees to a link and gives its end.

use super::End;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    processor::device::active,
    state::{Contributor, Link, LinkStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let contributor = ctx.load::<Contributor>()?;
    ctx.contributor_owner(&contributor)?;
    let mut side_z = End::load(ctx)?;
    let mut link = ctx.load::<Link>()?;
    ensure!(side_z.device.contributor == *contributor.key(), WrongContributor);
    ensure!(link.side_z == side_z.key(), NotALinkEnd);
    ensure!(link.status == LinkStatus::Requested, LinkNotRequested);
    active(&contributor)?;
    side_z.check_free()?;
    side_z.bind(ctx, *link.key())?;
    link.accepted = true;
    link.status = LinkStatus::Pending;
    ctx.save(&link)
}

//! Side Z agrees to a link and gives its end.

use super::End;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    processor::contributor::active,
    state::{Contributor, Link, LinkStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::AcceptLink<Info<'a, 'info>>,
) -> Result {
    let contributor = ctx.read::<Contributor>(a.contributor)?;
    ctx.contributor_owner(&contributor)?;
    let mut side_z = End::read(ctx, a.device_z, a.interface_z)?;
    let mut link = ctx.read::<Link>(a.link)?;
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

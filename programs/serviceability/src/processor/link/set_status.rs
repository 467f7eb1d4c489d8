//! Drains a link or opens it again; either side may.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Contributor, Device, Link, LinkStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, status: LinkStatus) -> Result {
    let contributor = ctx.load::<Contributor>()?;
    let device = ctx.load::<Device>()?;
    let mut link = ctx.load::<Link>()?;
    ctx.contributor_owner(&contributor)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!([link.side_a.device, link.side_z.device].contains(device.key()), NotALinkEnd);
    let in_service =
        |status| matches!(status, LinkStatus::Activated | LinkStatus::SoftDrained | LinkStatus::HardDrained);
    ensure!(in_service(status), InvalidLinkStatus);
    ensure!(in_service(link.status), LinkNotActivated);
    link.status = status;
    ctx.save(&link)
}

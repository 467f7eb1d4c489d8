//! Starts a link's end, which either side may; it must carry nothing that counts on it.

use super::read_of_side;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::LinkStatus,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteLink<Info<'a, 'info>>,
) -> Result {
    let (mut link, _) = read_of_side(ctx, a.link, a.contributor, a.device)?;
    ensure!(link.status != LinkStatus::Deleting, LinkDeleting);
    ensure!(link.status != LinkStatus::Activated, LinkStillActivated);
    link.status = LinkStatus::Deleting;
    ctx.save(&link)
}

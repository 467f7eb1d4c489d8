//! Changes a link's delay and bandwidth.

use super::check;
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
    a: lists::UpdateLink<Info<'a, 'info>>,
    delay_ns: u64,
    bandwidth: u64,
) -> Result {
    let contributor = ctx.read::<Contributor>(a.contributor)?;
    let mut link = ctx.read::<Link>(a.link)?;
    ctx.contributor_owner(&contributor)?;
    ensure!(link.contributor == *contributor.key(), WrongContributor);
    ensure!(link.status != LinkStatus::Deleting, LinkDeleting);
    active(&contributor)?;
    check(delay_ns, bandwidth)?;
    link.delay_ns = delay_ns;
    link.bandwidth = bandwidth;
    ctx.save(&link)
}

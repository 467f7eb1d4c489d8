//! Releases the network and the ends of a link that goes away and closes it.

use super::End;
use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    state::{Contributor, Link, LinkStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.load::<Contributor>()?;
    let link = ctx.load::<Link>()?;
    let owner = ctx.rent_recipient(&contributor.owner)?;
    ensure!(link.contributor == *contributor.key(), WrongContributor);
    ensure!(link.status == LinkStatus::Deleting, LinkNotDeleting);
    let mut side_a = End::load(ctx)?;
    ensure!(side_a.key() == link.side_a, NotALinkEnd);
    side_a.unbind(ctx)?;
    if link.accepted {
        let mut side_z = End::load(ctx)?;
        ensure!(side_z.key() == link.side_z, NotALinkEnd);
        side_z.unbind(ctx)?;
    }
    if let Some(network) = link.network {
        let mut pool = ctx.load_global_pool(PoolKind::DeviceTunnelBlock)?;
        ensure!(*pool.key() == network.pool, WrongPool);
        pool.release_net(network.net)?;
        ctx.save(&pool)?;
    }
    contributor.reference_count.down()?;
    ctx.save(&contributor)?;
    ctx.close(link, owner)
}

//! Releases the network and the ends of a link that goes away and closes it.

use super::End;
use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    lists,
    state::{Contributor, Link, LinkStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CloseLink<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    let link = ctx.read::<Link>(a.link)?;
    ensure!(link.contributor == *contributor.key(), WrongContributor);
    ensure!(link.status == LinkStatus::Deleting, LinkNotDeleting);
    let mut side_a = End::read(ctx, a.device_a, a.interface_a)?;
    ensure!(side_a.key() == link.side_a, NotALinkEnd);
    side_a.unbind(ctx)?;
    match (link.accepted, a.device_z, a.interface_z) {
        (false, None, None) => {}
        (true, Some(device), Some(interface)) => {
            let mut side_z = End::read(ctx, device, interface)?;
            ensure!(side_z.key() == link.side_z, NotALinkEnd);
            side_z.unbind(ctx)?;
        }
        _ => return Err(ServiceabilityError::NotALinkEnd),
    }
    match (link.network, a.pool) {
        (None, None) => {}
        (Some(network), Some(pool)) => {
            let mut pool = ctx.read_global_pool(pool, PoolKind::DeviceTunnelBlock)?;
            ensure!(*pool.key() == network.pool, WrongPool);
            pool.release_net(network.net)?;
            ctx.save(&pool)?;
        }
        (None, Some(_)) | (Some(_), None) => return Err(ServiceabilityError::WrongPool),
    }
    contributor.reference_count.down()?;
    ctx.save(&contributor)?;
    ctx.close(link, a.link_payer)
}

//! Gives a link its network.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    network::NetworkV4,
    state::{Interface, InterfaceStatus, Link, LinkNetwork, LinkStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ActivateLink<Info<'a, 'info>>,
    net: NetworkV4,
) -> Result {
    ctx.activator()?;
    let mut link = ctx.read::<Link>(a.link)?;
    let ends = [ctx.read::<Interface>(a.interface_a)?, ctx.read::<Interface>(a.interface_z)?];
    let mut pool = ctx.read_global_pool(a.pool, PoolKind::DeviceTunnelBlock)?;
    ensure!([link.side_a.interface, link.side_z.interface] == [*ends[0].key(), *ends[1].key()], WrongInterface);
    ensure!(link.status == LinkStatus::Pending, LinkNotPending);
    ensure!(ends.iter().all(|end| end.status == InterfaceStatus::Activated), InterfaceNotActivated);
    ensure!(net.prefix_len() == 31, NotATunnelNet);
    pool.claim_net(net)?;
    link.network = Some(LinkNetwork { net, pool: *pool.key() });
    link.status = LinkStatus::Activated;
    ctx.save(&pool)?;
    ctx.save(&link)
}

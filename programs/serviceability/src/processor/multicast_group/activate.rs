//! Gives a group its address.

use std::net::Ipv4Addr;

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{GroupAddress, MulticastGroup, MulticastGroupStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ActivateMulticastGroup<Info<'a, 'info>>,
    ip: Ipv4Addr,
) -> Result {
    ctx.activator()?;
    let mut group = ctx.read::<MulticastGroup>(a.group)?;
    let mut pool = ctx.read_global_pool(a.pool, PoolKind::MulticastGroupBlock)?;
    ensure!(group.status == MulticastGroupStatus::Pending, GroupNotPending);
    pool.claim_ip(ip)?;
    group.address = Some(GroupAddress { ip, pool: *pool.key() });
    group.status = MulticastGroupStatus::Activated;
    ctx.save(&pool)?;
    ctx.save(&group)
}

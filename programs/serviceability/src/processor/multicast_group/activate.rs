//! Gives a group its address.

use std::net::Ipv4Addr;

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{GroupAddress, MulticastGroup, MulticastGroupStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, ip: Ipv4Addr) -> Result {
    ctx.activator()?;
    let mut group = ctx.load::<MulticastGroup>()?;
    let mut pool = ctx.load_global_pool(PoolKind::MulticastGroupBlock)?;
    ensure!(group.status == MulticastGroupStatus::Pending, GroupNotPending);
    pool.claim_ip(ip)?;
    group.address = Some(GroupAddress { ip, pool: *pool.key() });
    group.status = MulticastGroupStatus::Activated;
    ctx.save(&pool)?;
    ctx.save(&group)
}

//! Releases the address of a group that goes away and closes it.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{MulticastGroup, MulticastGroupStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let group = ctx.load::<MulticastGroup>()?;
    let owner = ctx.rent_recipient(&group.owner)?;
    ensure!(group.status == MulticastGroupStatus::Deleting, GroupNotDeleting);
    if let Some(address) = group.address {
        let mut pool = ctx.load_global_pool(PoolKind::MulticastGroupBlock)?;
        ensure!(*pool.key() == address.pool, WrongPool);
        pool.release_ip(address.ip)?;
        ctx.save(&pool)?;
    }
    ctx.close(group, owner)
}

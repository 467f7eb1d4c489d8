//! Releases the address of a group that goes away and closes it.

use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    state::{MulticastGroup, MulticastGroupStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CloseMulticastGroup<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let group = ctx.read::<MulticastGroup>(a.group)?;
    ensure!(group.status == MulticastGroupStatus::Deleting, GroupNotDeleting);
    match (group.address, a.pool) {
        (None, None) => {}
        (Some(address), Some(pool)) => {
            let mut pool = ctx.read_global_pool(pool, PoolKind::MulticastGroupBlock)?;
            ensure!(*pool.key() == address.pool, WrongPool);
            pool.release_ip(address.ip)?;
            ctx.save(&pool)?;
        }
        (None, Some(_)) | (Some(_), None) => return Err(ServiceabilityError::WrongPool),
    }
    ctx.close(group, a.group_payer)
}

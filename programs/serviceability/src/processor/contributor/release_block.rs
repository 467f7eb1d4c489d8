//! Gives an unused /24 of a contributor that goes away back to its DoubleZero block.

use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    state::{Contributor, ContributorStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ReleaseContributorBlock<Info<'a, 'info>>,
    block: NetworkV4,
) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    let mut double_zero = ctx.read_global_pool(a.double_zero, PoolKind::DoubleZeroBlock)?;
    let pool = ctx.read_pool(a.pool, PoolKind::ContributorBlock, contributor.key())?;
    ensure!(contributor.status == ContributorStatus::Deleting, ContributorNotDeleting);
    let index = contributor.blocks.iter().position(|other| *other == block);
    contributor.blocks.remove(index.ok_or(ServiceabilityError::BlockNotFound)?);
    ensure!(pool.base == u32::from(block.network()), WrongPool);
    ensure!(pool.used() == 0, BlockInUse);
    double_zero.release_net(block)?;
    ctx.deregister(a.registry, a.registry_payer, block)?;
    ctx.save(&double_zero)?;
    ctx.save(&contributor)?;
    ctx.close(pool, a.pool_payer)
}

//! Gives an unused /24 of a contributor that goes away back to its DoubleZero block.

use crate::{
    accounts::Context,
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    state::{Contributor, ContributorStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, block: NetworkV4) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.load::<Contributor>()?;
    let mut double_zero = ctx.load_global_pool(PoolKind::DoubleZeroBlock)?;
    let pool = ctx.load_pool(PoolKind::ContributorBlock, contributor.key())?;
    ensure!(contributor.status == ContributorStatus::Deleting, ContributorNotDeleting);
    let index = contributor.blocks.iter().position(|other| *other == block);
    contributor.blocks.remove(index.ok_or(ServiceabilityError::BlockNotFound)?);
    ensure!(pool.base == u32::from(block.network()), WrongPool);
    ensure!(pool.used() == 0, BlockInUse);
    double_zero.release_net(block)?;
    ctx.deregister(block)?;
    ctx.save(&double_zero)?;
    ctx.save(&contributor)?;
    ctx.close(pool, ctx.signer)
}

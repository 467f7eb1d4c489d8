//! Carves a /24 out of a DoubleZero block for a contributor.

use super::{MAX_BLOCKS, UNIT};
use crate::{
    accounts::Context,
    error::{Result, ensure},
    network::NetworkV4,
    pools::pool_of_network,
    state::{Contributor, ContributorStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, block: NetworkV4) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.load::<Contributor>()?;
    let mut double_zero = ctx.load_global_pool(PoolKind::DoubleZeroBlock)?;
    let pool = ctx.take()?;
    ensure!(contributor.status == ContributorStatus::Activated, ContributorNotActive);
    ensure!(contributor.blocks.len() < MAX_BLOCKS, TooManyBlocks);
    ensure!(block.prefix_len() == 24, NotASlash24);
    double_zero.claim_net(block)?;
    ctx.register(block)?;
    ctx.create_pool(pool, pool_of_network(PoolKind::ContributorBlock, *contributor.key(), block, UNIT, 0)?)?;
    contributor.blocks.push(block);
    ctx.save(&double_zero)?;
    ctx.save(&contributor)
}

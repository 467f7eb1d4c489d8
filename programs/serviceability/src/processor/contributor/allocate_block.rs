//! Carves a /24 out of a DoubleZero block for a contributor.

use super::UNIT;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    network::NetworkV4,
    pools::pool_of_network,
    state::{Contributor, ContributorStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::AllocateContributorBlock<Info<'a, 'info>>,
    block: NetworkV4,
) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    let mut double_zero = ctx.read_global_pool(a.double_zero, PoolKind::DoubleZeroBlock)?;
    ensure!(contributor.status == ContributorStatus::Activated, ContributorNotActive);
    ensure!(contributor.blocks.len() < Contributor::MAX_BLOCKS, TooManyBlocks);
    ensure!(block.prefix_len() == 24, NotASlash24);
    let granted = contributor.blocks.len() < usize::from(contributor.granted_blocks);
    let free = double_zero.capacity() - double_zero.used();
    ensure!(granted || free > u32::from(ctx.config.kept_blocks), BlocksKept);
    double_zero.claim_net(block)?;
    ctx.check_no_client(a.clients, block)?;
    ctx.register(a.registry, block)?;
    ctx.create_pool(a.pool, pool_of_network(PoolKind::ContributorBlock, *contributor.key(), block, UNIT, 0)?)?;
    contributor.blocks.push(block);
    ctx.save(&double_zero)?;
    ctx.save(&contributor)
}

//! Removes a global block that nothing uses and closes its pool.

use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    state::PoolKind,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::RemoveBlock<Info<'a, 'info>>,
    kind: PoolKind,
    block: NetworkV4,
) -> Result {
    ctx.foundation()?;
    let blocks = ctx.config.blocks_mut(kind).ok_or(ServiceabilityError::NotABlockKind)?;
    let index = blocks.iter().position(|other| *other == block).ok_or(ServiceabilityError::BlockNotFound)?;
    blocks.remove(index);
    let pool = ctx.read_global_pool(a.pool, kind)?;
    ensure!(pool.base == u32::from(block.network()), WrongPool);
    ensure!(pool.used() == 0, BlockInUse);
    ctx.close(pool, a.pool_payer)?;
    ctx.save_config()
}

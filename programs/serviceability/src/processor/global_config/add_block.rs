//! Adds a global block and its pool.

use super::MAX_BLOCKS;
use crate::{
    accounts::Context,
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    pda,
    pools::pool_of_network,
    registry::base_of,
    state::{Pool, PoolKind},
};

/// A publisher block is checked against the registry of each /24 it touches; more would not fit a transaction.
const SHORTEST_PUBLISHER_BLOCK: u8 = 20;

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, kind: PoolKind, block: NetworkV4) -> Result {
    ctx.foundation()?;
    let pool = ctx.take()?;
    let unit = check(kind, block)?;
    ensure!(!ctx.config.all_blocks().any(|other| other.overlaps(&block)), BlockOverlaps);
    if kind == PoolKind::MulticastPublisherBlock {
        check_unregistered(ctx, block)?;
    }
    let blocks = ctx.config.blocks_mut(kind).ok_or(ServiceabilityError::NotABlockKind)?;
    ensure!(blocks.len() < MAX_BLOCKS, TooManyBlocks);
    blocks.push(block);
    ctx.create_pool(pool, pool_of_network(kind, *ctx.config.key(), block, unit, 0)?)?;
    ctx.save_config()
}

/// Which networks a kind can have, and the size of its unit.
fn check(kind: PoolKind, block: NetworkV4) -> Result<u32> {
    let len = block.prefix_len();
    let (fits, unit) = match kind {
        PoolKind::DoubleZeroBlock => (block.is_global() && (8..=24).contains(&len), 256),
        PoolKind::UserTunnelBlock | PoolKind::DeviceTunnelBlock => (block.is_private() && (15..=31).contains(&len), 2),
        PoolKind::MulticastGroupBlock => (block.network().is_multicast() && len >= 16, 1),
        PoolKind::MulticastPublisherBlock => (block.is_global() && len >= SHORTEST_PUBLISHER_BLOCK, 1),
        PoolKind::ContributorBlock
        | PoolKind::DevicePrefix
        | PoolKind::AddressRegistry
        | PoolKind::TunnelIds
        | PoolKind::EndpointLoopbacks
        | PoolKind::VrfIds => return Err(ServiceabilityError::NotABlockKind),
    };
    ensure!(fits, InvalidBlock);
    Ok(unit)
}

/// No address of the block may be somebody's already. What comes later is refused by the block itself, and what a
/// DoubleZero block holds already shows when its /24 is carved; publishers' addresses are carved by nobody.
fn check_unregistered(ctx: &mut Context, block: NetworkV4) -> Result {
    let owner = *ctx.config.key();
    let mut base = base_of(block.network());
    let last = base_of(block.broadcast());
    loop {
        let info = ctx.take()?;
        ensure!(*info.key == pda::pool(ctx.program(), PoolKind::AddressRegistry, &owner, base).0, WrongAddress);
        if ctx.exists(info)? {
            let registry = ctx.read::<Pool>(info)?;
            ensure!(!registry.taken().any(|address| block.contains(&std::net::Ipv4Addr::from(address))), BlockOverlaps);
        }
        if base == last {
            return Ok(());
        }
        base += 256;
    }
}

//! Adds a global block and its pool.

use std::net::Ipv4Addr;

use solana_account_info::AccountInfo;

use crate::{
    accounts::{Context, Info},
    address_registry::{UNITS, base_of, consulted},
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    pools::pool_of_network,
    state::{GlobalConfig, PoolKind},
};

/// A block of public addresses is checked against the registries of each /24 it touches; more would not fit a transaction.
const SHORTEST_PUBLIC_BLOCK: u8 = 21;

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::AddBlock<Info<'a, 'info>>,
    kind: PoolKind,
    block: NetworkV4,
) -> Result {
    ctx.foundation()?;
    let unit = check(kind, block)?;
    ensure!(!ctx.config.all_blocks().any(|other| other.overlaps(&block)), BlockOverlaps);
    check_unused(ctx, kind, block, &a.registries)?;
    let blocks = ctx.config.blocks_mut(kind).ok_or(ServiceabilityError::NotABlockKind)?;
    ensure!(blocks.len() < GlobalConfig::MAX_BLOCKS, TooManyBlocks);
    blocks.push(block);
    ctx.create_pool(a.pool, pool_of_network(kind, *ctx.config.key(), block, unit, 0)?)?;
    ctx.save_config()
}

/// Which networks a kind can have, and the size of its unit.
fn check(kind: PoolKind, block: NetworkV4) -> Result<u32> {
    let len = block.prefix_len();
    let (fits, unit) = match kind {
        PoolKind::DoubleZeroBlock => (block.is_global() && (SHORTEST_PUBLIC_BLOCK..=24).contains(&len), UNITS),
        PoolKind::UserTunnelBlock | PoolKind::DeviceTunnelBlock => (block.is_private() && (15..=31).contains(&len), 2),
        PoolKind::MulticastGroupBlock => (block.network().is_multicast() && len >= 16, 1),
        PoolKind::MulticastPublisherBlock => (block.is_global() && len >= SHORTEST_PUBLIC_BLOCK, 1),
        PoolKind::ContributorBlock
        | PoolKind::ContributorPrefix
        | PoolKind::DevicePrefix
        | PoolKind::AddressRegistry
        | PoolKind::ClientAddresses
        | PoolKind::TunnelIds
        | PoolKind::EndpointLoopbacks
        | PoolKind::VrfIds => return Err(ServiceabilityError::NotABlockKind),
    };
    ensure!(fits, InvalidBlock);
    Ok(unit)
}

/// No address of the block may be taken already. What comes later is refused by the block itself.
fn check_unused<'a, 'info>(
    ctx: &Context<'a, 'info>,
    kind: PoolKind,
    block: NetworkV4,
    accounts: &[&'a AccountInfo<'info>],
) -> Result {
    let mut accounts = accounts.iter();
    let kinds = consulted(kind);
    if !kinds.is_empty() {
        let last = base_of(block.broadcast());
        let mut base = base_of(block.network());
        loop {
            for &kind in kinds {
                let info = accounts.next().ok_or(ServiceabilityError::MissingAccount)?;
                if let Some(pool) = ctx.read_registry(info, kind, base)? {
                    ensure!(!pool.taken().any(|address| block.contains(&Ipv4Addr::from(address))), BlockOverlaps);
                }
            }
            if base == last {
                break;
            }
            base += UNITS;
        }
    }
    ensure!(accounts.len() == 0, TooManyAccounts);
    Ok(())
}

//! Carves a prefix for a device out of its contributor's /24: one, while the device has no other carved one.

use super::push_prefix;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    network::NetworkV4,
    state::{Bootstrap, Device, DeviceStatus, PoolKind, PrefixSource},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CarveDevicePrefix<Info<'a, 'info>>,
    net: NetworkV4,
) -> Result {
    ctx.activator()?;
    let mut device = ctx.read::<Device>(a.device)?;
    let mut block = ctx.read_pool(a.block, PoolKind::ContributorBlock, &device.contributor)?;
    ensure!(device.status != DeviceStatus::Deleting, DeviceDeleting);
    ensure!(device.bootstrap == Bootstrap::Carve { prefix_len: net.prefix_len() }, PrefixNotWanted);
    // Two activators whose views differ must not carve twice.
    ensure!(!device.has_carved_prefix(), PrefixComplete);
    block.claim_net(net)?;
    let value = push_prefix(ctx, &mut device, net, PrefixSource::Carved { pool: *block.key() })?;
    ctx.create_pool(a.pool, value)?;
    ctx.save(&block)
}

//! Carves a prefix for a device out of what its contributor has: one, while the device has no other carved one.

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
    let mut block = ctx.read_space(a.block, &device.contributor)?;
    ensure!(device.status != DeviceStatus::Deleting, DeviceDeleting);
    ensure!(device.bootstrap.carved_len() == Some(net.prefix_len()), PrefixNotWanted);
    let foundations = matches!(device.bootstrap, Bootstrap::CarveBlock { .. });
    ensure!(!foundations || block.kind == PoolKind::ContributorBlock, WrongPool);
    // Two activators whose views differ must not carve twice.
    ensure!(!device.has_carved_prefix(), PrefixComplete);
    block.claim_net(net)?;
    let value = push_prefix(ctx, &mut device, net, PrefixSource::Carved { pool: *block.key() })?;
    ctx.create_pool(a.pool, value)?;
    ctx.save(&block)
}

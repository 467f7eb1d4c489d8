//! Closes a device that has given back its interfaces and prefixes, with its id pools.

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ensure},
    lists,
    network::NetworkV4,
    state::{Contributor, Device, DeviceStatus, Exchange, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CloseDevice<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    let mut exchange = ctx.read::<Exchange>(a.exchange)?;
    let device = ctx.read::<Device>(a.device)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!(device.exchange == *exchange.key(), WrongExchange);
    ensure!(device.status == DeviceStatus::Deleting, DeviceNotDeleting);
    ensure!(device.interface_count == 0, DeviceHasInterfaces);
    ensure!(device.prefixes.is_empty(), DeviceHasPrefixes);
    ctx.deregister(a.registry, a.registry_payer, NetworkV4::host(device.public_ip))?;
    let tunnel_ids = ctx.read_pool(a.tunnel_ids, PoolKind::TunnelIds, device.key())?;
    let loopbacks = ctx.read_pool(a.loopbacks, PoolKind::EndpointLoopbacks, device.key())?;
    contributor.reference_count.down()?;
    exchange.reference_count.down()?;
    ctx.config.device_count.down()?;
    ctx.save(&contributor)?;
    ctx.save(&exchange)?;
    ctx.save_config()?;
    // Both were created with the device, so the same key paid for them.
    ctx.close(tunnel_ids, a.device_payer)?;
    ctx.close(loopbacks, a.device_payer)?;
    ctx.close(device, a.device_payer)
}

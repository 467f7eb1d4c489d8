//! Closes a device that has given back its interfaces and prefixes, with its id pools.

use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    network::NetworkV4,
    state::{Contributor, Device, DeviceStatus, Exchange, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let mut contributor = ctx.load::<Contributor>()?;
    let mut exchange = ctx.load::<Exchange>()?;
    let device = ctx.load::<Device>()?;
    let owner = ctx.rent_recipient(&contributor.owner)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!(device.exchange == *exchange.key(), WrongExchange);
    ensure!(device.status == DeviceStatus::Deleting, DeviceNotDeleting);
    ensure!(device.interface_count == 0, DeviceHasInterfaces);
    ensure!(device.prefixes.is_empty(), DeviceHasPrefixes);
    ctx.deregister(NetworkV4::host(device.public_ip))?;
    let tunnel_ids = ctx.load_pool(PoolKind::TunnelIds, device.key())?;
    let loopbacks = ctx.load_pool(PoolKind::EndpointLoopbacks, device.key())?;
    contributor.reference_count.down()?;
    exchange.reference_count.down()?;
    ctx.config.device_count.down()?;
    ctx.save(&contributor)?;
    ctx.save(&exchange)?;
    ctx.save_config()?;
    ctx.close(tunnel_ids, owner)?;
    ctx.close(loopbacks, owner)?;
    ctx.close(device, owner)
}

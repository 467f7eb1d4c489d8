//! Releases what an interface that goes away holds and closes it: its address goes back to where it came from.

use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    network::NetworkV4,
    state::{AddressSource, Contributor, Device, Interface, InterfaceStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let contributor = ctx.load::<Contributor>()?;
    let mut device = ctx.load::<Device>()?;
    let interface = ctx.load::<Interface>()?;
    let owner = ctx.rent_recipient(&contributor.owner)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!(interface.device == *device.key(), WrongInterface);
    ensure!(interface.status == InterfaceStatus::Deleting, InterfaceNotDeleting);
    if let Some(address) = interface.address {
        match address.source {
            AddressSource::PublicIp => device.public_ip_interface = None,
            AddressSource::Own => ctx.deregister(NetworkV4::host(address.ip))?,
            AddressSource::Pulled { pool } => {
                let mut prefix = ctx.load_pool(PoolKind::DevicePrefix, device.key())?;
                ensure!(*prefix.key() == pool, WrongPool);
                prefix.release_ip(address.ip)?;
                device.pulled_count.down()?;
                ctx.save(&prefix)?;
            }
        }
    }
    if let Some(number) = interface.loopback_number {
        let mut loopbacks = ctx.load_pool(PoolKind::EndpointLoopbacks, device.key())?;
        loopbacks.release(number.into(), 1)?;
        ctx.save(&loopbacks)?;
    }
    device.interface_count.down()?;
    ctx.save(&device)?;
    ctx.close(interface, owner)
}

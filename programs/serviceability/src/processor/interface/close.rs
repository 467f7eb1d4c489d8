//! Releases what an interface that goes away holds and closes it: its address goes back to where it came from.

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    state::{AddressSource, Device, Interface, InterfaceStatus, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CloseInterface<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let mut device = ctx.read::<Device>(a.device)?;
    let interface = ctx.read::<Interface>(a.interface)?;
    ensure!(interface.device == *device.key(), WrongInterface);
    ensure!(interface.status == InterfaceStatus::Deleting, InterfaceNotDeleting);
    let address = interface.address;
    match (address.map(|address| address.source), a.prefix, a.registry, a.registry_payer) {
        (None, None, None, None) => {}
        (Some(AddressSource::PublicIp), None, None, None) => device.public_ip_interface = None,
        (Some(AddressSource::Own), None, Some(registry), Some(payer)) => {
            let address = address.ok_or(ServiceabilityError::WrongPool)?;
            ctx.deregister(registry, payer, NetworkV4::host(address.ip))?;
        }
        (Some(AddressSource::Pulled { pool }), Some(prefix), None, None) => {
            let address = address.ok_or(ServiceabilityError::WrongPool)?;
            let mut prefix = ctx.read_pool(prefix, PoolKind::DevicePrefix, device.key())?;
            ensure!(*prefix.key() == pool, WrongPool);
            prefix.release_ip(address.ip)?;
            device.pulled_count.down()?;
            ctx.save(&prefix)?;
        }
        _ => return Err(ServiceabilityError::WrongPool),
    }
    match (interface.loopback_number, a.loopbacks) {
        (None, None) => {}
        (Some(number), Some(loopbacks)) => {
            let mut loopbacks = ctx.read_pool(loopbacks, PoolKind::EndpointLoopbacks, device.key())?;
            loopbacks.release(number.into(), 1)?;
            ctx.save(&loopbacks)?;
        }
        (None, Some(_)) | (Some(_), None) => return Err(ServiceabilityError::WrongPool),
    }
    device.interface_count.down()?;
    ctx.save(&device)?;
    ctx.close(interface, a.interface_payer)
}

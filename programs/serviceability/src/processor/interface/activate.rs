//! Puts an interface that the activator has checked into the device's configuration.

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ensure},
    lists,
    state::{Device, DeviceStatus, Interface, InterfaceStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ActivateInterface<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let mut device = ctx.read::<Device>(a.device)?;
    let mut interface = ctx.read::<Interface>(a.interface)?;
    ensure!(interface.device == *device.key(), WrongInterface);
    ensure!(device.status != DeviceStatus::Deleting, DeviceDeleting);
    ensure!(interface.status == InterfaceStatus::Pending, InterfaceNotPending);
    interface.status = InterfaceStatus::Activated;
    if interface.user_tunnel_endpoint {
        device.endpoint_count.up()?;
    }
    ctx.save(&interface)?;
    ctx.save(&device)
}

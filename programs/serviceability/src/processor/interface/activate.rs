//! Puts an interface that the activator has checked into the device's configuration.

use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    state::{Device, DeviceStatus, Interface, InterfaceStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let mut device = ctx.load::<Device>()?;
    let mut interface = ctx.load::<Interface>()?;
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

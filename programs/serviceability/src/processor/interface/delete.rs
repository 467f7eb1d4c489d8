//! Starts an interface's end; no user's tunnel and no link may end on it. The activator does it, too, for a device
//! that goes away.

use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    state::{Contributor, Device, DeviceStatus, Interface, InterfaceStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let contributor = ctx.load::<Contributor>()?;
    let mut device = ctx.load::<Device>()?;
    let mut interface = ctx.load::<Interface>()?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!(interface.device == *device.key(), WrongInterface);
    if device.status != DeviceStatus::Deleting || !ctx.signer_is_activator() {
        ctx.contributor_owner(&contributor)?;
    }
    ensure!(interface.status != InterfaceStatus::Deleting, InterfaceDeleting);
    ensure!(interface.user_count == 0, InterfaceHasUsers);
    ensure!(interface.link.is_none(), InterfaceHasLink);
    if interface.endpoint().is_some() {
        device.endpoint_count.down()?;
    }
    interface.status = InterfaceStatus::Deleting;
    ctx.save(&interface)?;
    ctx.save(&device)
}

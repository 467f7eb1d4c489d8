//! Starts an interface's end; no user's tunnel and no link may end on it. The activator does it, too, for a device
//! that goes away.

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ensure},
    lists,
    processor::contributor::count_request,
    state::{Contributor, Device, DeviceStatus, Interface, InterfaceStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteInterface<Info<'a, 'info>>,
) -> Result {
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    let mut device = ctx.read::<Device>(a.device)?;
    let mut interface = ctx.read::<Interface>(a.interface)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!(interface.device == *device.key(), WrongInterface);
    if device.status != DeviceStatus::Deleting || !ctx.signer_is_activator() {
        ctx.contributor_owner(&contributor)?;
        // The activator pulls another endpoint.
        count_request(ctx, &mut contributor, a.clock, 0)?;
        ctx.save(&contributor)?;
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

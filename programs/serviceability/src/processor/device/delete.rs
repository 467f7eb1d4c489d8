//! Starts a device's end; no user and no link may refer to it.

use super::load_owned;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::DeviceStatus,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteDevice<Info<'a, 'info>>,
) -> Result {
    let mut device = load_owned(ctx, a.contributor, a.device)?.device;
    ensure!(device.counts.users() == 0, DeviceHasUsers);
    ensure!(device.link_count == 0, DeviceHasLinks);
    device.status = DeviceStatus::Deleting;
    ctx.save(&device)
}

//! Starts a device's end; no user and no link may refer to it.

use super::load_owned;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::DeviceStatus,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let mut device = load_owned(ctx)?.device;
    ensure!(device.counts.users() == 0, DeviceHasUsers);
    ensure!(device.link_count == 0, DeviceHasLinks);
    device.status = DeviceStatus::Deleting;
    ctx.save(&device)
}

//! Opens a device that has its prefixes and endpoints.

use super::check_ready;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Device, DeviceStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let mut device = ctx.load::<Device>()?;
    ensure!(device.status == DeviceStatus::Pending, DeviceNotPending);
    check_ready(&device)?;
    device.status = DeviceStatus::Activated;
    ctx.save(&device)
}

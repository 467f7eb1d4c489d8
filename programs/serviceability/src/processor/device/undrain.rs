//! Opens a drained device again.

use super::load_owned;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::DeviceStatus,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let mut device = load_owned(ctx)?.device;
    ensure!(device.status == DeviceStatus::Drained, DeviceNotDrained);
    device.status = DeviceStatus::Activated;
    ctx.save(&device)
}

//! Drains a device: no new users, and the ones it has are shut.

use super::load_owned;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::DeviceStatus,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let mut device = load_owned(ctx)?.device;
    ensure!(device.status == DeviceStatus::Activated, DeviceNotActivated);
    device.status = DeviceStatus::Drained;
    ctx.save(&device)
}

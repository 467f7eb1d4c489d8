//! Opens a device that has its prefixes and endpoints.

use super::check_ready;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Device, DeviceStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ActivateDevice<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let mut device = ctx.read::<Device>(a.device)?;
    ensure!(device.status == DeviceStatus::Pending, DeviceNotPending);
    check_ready(&device)?;
    device.status = DeviceStatus::Activated;
    ctx.save(&device)
}

//! Drains a device: no new users, and the ones it has are shut.

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
    a: lists::DrainDevice<Info<'a, 'info>>,
) -> Result {
    let mut device = load_owned(ctx, a.contributor, a.device)?.device;
    ensure!(device.status == DeviceStatus::Activated, DeviceNotActivated);
    device.status = DeviceStatus::Drained;
    ctx.save(&device)
}

//! Opens a drained device again.

use super::load_owned;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    processor::contributor::active,
    state::DeviceStatus,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::UndrainDevice<Info<'a, 'info>>,
) -> Result {
    let owned = load_owned(ctx, a.contributor, a.device)?;
    active(&owned.contributor)?;
    let mut device = owned.device;
    ensure!(device.status == DeviceStatus::Drained, DeviceNotDrained);
    device.status = DeviceStatus::Activated;
    ctx.save(&device)
}

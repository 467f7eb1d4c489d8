//! Changes type, caps and the number of endpoints.

use super::{check_endpoints, load_owned};
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    processor::contributor::{active, count_request},
    state::{DeviceCaps, DeviceType},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::UpdateDevice<Info<'a, 'info>>,
    device_type: DeviceType,
    caps: DeviceCaps,
    endpoints_wanted: u8,
) -> Result {
    let mut owned = load_owned(ctx, a.contributor, a.device)?;
    active(&owned.contributor)?;
    let mut device = owned.device;
    ensure!(device_type != DeviceType::Transit || device.counts.users() == 0, DeviceHasUsers);
    check_endpoints(&ctx.config, device.bootstrap, endpoints_wanted)?;
    if device.endpoints_wanted != endpoints_wanted {
        let more = endpoints_wanted.saturating_sub(device.endpoints_wanted);
        count_request(ctx, &mut owned.contributor, a.clock, more)?;
        ctx.save(&owned.contributor)?;
    }
    device.device_type = device_type;
    device.caps = caps;
    device.endpoints_wanted = endpoints_wanted;
    ctx.save(&device)
}

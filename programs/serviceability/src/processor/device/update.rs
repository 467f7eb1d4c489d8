//! Changes type, caps and the number of endpoints.

use super::{check_endpoints, load_owned};
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{DeviceCaps, DeviceType},
};

#[inline(never)]
pub(in crate::processor) fn process(
    ctx: &mut Context,
    device_type: DeviceType,
    caps: DeviceCaps,
    endpoints_wanted: u8,
) -> Result {
    let mut device = load_owned(ctx)?.device;
    ensure!(device_type != DeviceType::Transit || device.counts.users() == 0, DeviceHasUsers);
    check_endpoints(&ctx.config, device.bootstrap, endpoints_wanted)?;
    device.device_type = device_type;
    device.caps = caps;
    device.endpoints_wanted = endpoints_wanted;
    ctx.save(&device)
}

//! Moves a device to another address. The registries of the old and the new one follow, one account when they share
//! a /24.

use std::net::Ipv4Addr;

use super::load_owned;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    network::NetworkV4,
    registry::{base_of, check_own},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, public_ip: Ipv4Addr) -> Result {
    let mut device = load_owned(ctx)?.device;
    ensure!(device.public_ip_interface.is_none(), PublicIpInUse);
    let (old, new) = (device.public_ip, NetworkV4::host(public_ip));
    check_own(&ctx.config, new)?;
    // The new address first: a registry that both share must not be closed in between.
    if base_of(old) == base_of(public_ip) {
        let registry = ctx.take()?;
        ctx.register_in(registry, new)?;
        ctx.deregister_in(registry, NetworkV4::host(old))?;
    } else {
        let old_registry = ctx.take()?;
        ctx.register(new)?;
        ctx.deregister_in(old_registry, NetworkV4::host(old))?;
    }
    device.public_ip = public_ip;
    ctx.save(&device)
}

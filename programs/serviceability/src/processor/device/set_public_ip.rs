//! Moves a device to another address.

use std::net::Ipv4Addr;

use super::load_owned;
use crate::{
    accounts::{Context, Info},
    address_registry::{base_of, check_own},
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    processor::contributor::active,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SetDevicePublicIp<Info<'a, 'info>>,
    public_ip: Ipv4Addr,
) -> Result {
    let owned = load_owned(ctx, a.contributor, a.device)?;
    active(&owned.contributor)?;
    let mut device = owned.device;
    ensure!(device.public_ip_interface.is_none(), PublicIpInUse);
    let (old, new) = (NetworkV4::host(device.public_ip), NetworkV4::host(public_ip));
    check_own(&ctx.config, new)?;
    ctx.check_no_client(a.clients, new)?;
    // The registry of the new address is another account unless both are of one /24.
    let registry = match (a.registry, base_of(device.public_ip) == base_of(public_ip)) {
        (None, true) => a.old_registry,
        (Some(registry), false) => registry,
        _ => return Err(ServiceabilityError::WrongPool),
    };
    // The new address first: a registry that both share must not be closed in between.
    ctx.register(registry, new)?;
    ctx.deregister(a.old_registry, a.old_registry_payer, old)?;
    device.public_ip = public_ip;
    ctx.save(&device)
}

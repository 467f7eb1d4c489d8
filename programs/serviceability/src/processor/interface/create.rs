//! Creates an interface that the contributor has. Its address is registered unless it is the device's own; a
//! loopback of the reserved range takes its number, so that the activator never pulls onto it.

use std::net::Ipv4Addr;

use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    pda::Place,
    processor::device::{active, load_owned},
    registry::check_own,
    state::{AddressSource, Interface, InterfaceAddress, InterfaceStatus, PoolKind},
    validation::InterfaceName,
};

#[inline(never)]
pub(in crate::processor) fn process(
    ctx: &mut Context,
    name: String,
    ip: Option<Ipv4Addr>,
    user_tunnel_endpoint: bool,
) -> Result {
    let mut owned = load_owned(ctx)?;
    active(&owned.contributor)?;
    let info = ctx.take()?;
    let name: InterfaceName = name.parse().map_err(|_| ServiceabilityError::InvalidInterfaceName)?;
    ensure!(ip.is_some() || !user_tunnel_endpoint, EndpointNeedsAddress);

    let device = &mut owned.device;
    let address = match ip {
        None => None,
        Some(ip) if ip == device.public_ip => {
            ensure!(device.public_ip_interface.is_none(), PublicIpInUse);
            device.public_ip_interface = Some(*info.key);
            Some(InterfaceAddress { ip, source: AddressSource::PublicIp })
        }
        Some(ip) => {
            check_own(&ctx.config, NetworkV4::host(ip))?;
            ctx.register(NetworkV4::host(ip))?;
            Some(InterfaceAddress { ip, source: AddressSource::Own })
        }
    };
    let loopback_number = name.loopback_number().filter(|&number| ctx.config.is_endpoint_loopback(number));
    if let Some(number) = loopback_number {
        let mut loopbacks = ctx.load_pool(PoolKind::EndpointLoopbacks, device.key())?;
        loopbacks.claim(number.into(), 1)?;
        ctx.save(&loopbacks)?;
    }
    let full = name.to_string();
    let value = Interface {
        device: *device.key(),
        name: full.clone(),
        kind: name.kind(),
        status: InterfaceStatus::Pending,
        address,
        loopback_number,
        user_tunnel_endpoint,
        user_count: 0,
        link: None,
    };
    ctx.create(info, Place::Interface { device: device.key(), name: &full }, value)?;
    device.interface_count.up()?;
    ctx.save(device)
}

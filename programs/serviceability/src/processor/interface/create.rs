//! Creates an interface that the contributor has. Its address is registered unless it is the device's own; a
//! loopback of the reserved range takes its number, so that the activator never pulls onto it.

use std::net::Ipv4Addr;

use crate::{
    accounts::{Context, Info},
    address_registry::check_own,
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    pda::Place,
    processor::{
        contributor::{active, count_request},
        device::load_owned,
    },
    state::{
        AddressSource, EndpointService, Interface, InterfaceAddress, InterfaceMetadata, InterfaceStatus, PoolKind,
    },
    validation::InterfaceName,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateInterface<Info<'a, 'info>>,
    name: String,
    ip: Option<Ipv4Addr>,
    user_tunnel_endpoint: bool,
) -> Result {
    let mut owned = load_owned(ctx, a.contributor, a.device)?;
    active(&owned.contributor)?;
    count_request(ctx, &mut owned.contributor, a.clock, 0)?;
    ctx.save(&owned.contributor)?;
    let name: InterfaceName = name.parse().map_err(|_| ServiceabilityError::InvalidInterfaceName)?;
    ensure!(ip.is_some() || !user_tunnel_endpoint, EndpointNeedsAddress);

    let device = &mut owned.device;
    let own = ip.filter(|ip| *ip != device.public_ip);
    let address = match (ip, own, a.registry, a.clients) {
        (None, ..) => None,
        (Some(ip), None, None, None) => {
            ensure!(device.public_ip_interface.is_none(), PublicIpInUse);
            device.public_ip_interface = Some(*a.interface.key);
            Some(InterfaceAddress { ip, source: AddressSource::PublicIp })
        }
        (_, Some(ip), Some(registry), Some(clients)) => {
            let net = NetworkV4::host(ip);
            check_own(&ctx.config, net)?;
            ctx.check_no_client(clients, net)?;
            ctx.register(registry, net)?;
            Some(InterfaceAddress { ip, source: AddressSource::Own })
        }
        _ => return Err(ServiceabilityError::WrongPool),
    };
    let loopback_number = name.loopback_number().filter(|&number| ctx.config.is_endpoint_loopback(number));
    if let Some(number) = loopback_number {
        let loopbacks = a.loopbacks.ok_or(ServiceabilityError::MissingAccount)?;
        let mut loopbacks = ctx.read_pool(loopbacks, PoolKind::EndpointLoopbacks, device.key())?;
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
        service: EndpointService::default(),
        metadata: InterfaceMetadata::default(),
        user_count: 0,
        link: None,
    };
    ctx.create(a.interface, Place::Interface { device: device.key(), name: &full }, value)?;
    device.interface_count.up()?;
    ctx.save(device)
}

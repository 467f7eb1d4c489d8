//! Pulls an address off a device's prefix onto a loopback of the reserved range.

use std::net::Ipv4Addr;

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ensure},
    lists,
    network::NetworkV4,
    pda::Place,
    state::{
        AddressSource, Device, DeviceStatus, EndpointService, Interface, InterfaceAddress, InterfaceKind,
        InterfaceMetadata, InterfaceStatus, PoolKind,
    },
    validation::InterfaceName,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::PullEndpoint<Info<'a, 'info>>,
    ip: Ipv4Addr,
    loopback_number: u16,
) -> Result {
    ctx.activator()?;
    let mut device = ctx.read::<Device>(a.device)?;
    let mut prefix = ctx.read_pool(a.prefix, PoolKind::DevicePrefix, device.key())?;
    let mut loopbacks = ctx.read_pool(a.loopbacks, PoolKind::EndpointLoopbacks, device.key())?;
    ensure!(device.status != DeviceStatus::Deleting, DeviceDeleting);
    // Two activators whose views differ must not pull twice what is wanted.
    ensure!(device.pulled_count < u32::from(device.endpoints_wanted), EndpointsComplete);
    ensure!(ctx.config.is_endpoint_loopback(loopback_number), LoopbackNotInRange);
    prefix.claim_ip(ip)?;
    ctx.check_no_client(a.clients, NetworkV4::host(ip))?;
    loopbacks.claim(loopback_number.into(), 1)?;
    let name = InterfaceName::loopback(loopback_number).to_string();
    let value = Interface {
        device: *device.key(),
        name: name.clone(),
        kind: InterfaceKind::Loopback,
        status: InterfaceStatus::Activated,
        address: Some(InterfaceAddress { ip, source: AddressSource::Pulled { pool: *prefix.key() } }),
        loopback_number: Some(loopback_number),
        user_tunnel_endpoint: true,
        service: EndpointService::default(),
        metadata: InterfaceMetadata::default(),
        user_count: 0,
        link: None,
    };
    ctx.create(a.interface, Place::Interface { device: device.key(), name: &name }, value)?;
    device.interface_count.up()?;
    device.endpoint_count.up()?;
    device.pulled_count.up()?;
    ctx.save(&prefix)?;
    ctx.save(&loopbacks)?;
    ctx.save(&device)
}

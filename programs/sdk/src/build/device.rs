//! Devices: their prefixes, endpoints and end.

use std::net::Ipv4Addr;

use dz_serviceability::{
    address_registry::base_of,
    instruction::{CreateDeviceArgs, ServiceabilityInstruction as I},
    lists,
    network::NetworkV4,
    pda,
    state::{Device, DeviceCaps, DevicePrefix, DeviceType, InterfaceStatus, PoolKind, PrefixSource},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    BuildError, Result,
    find::{config, device, payer},
};
use crate::{
    instruction::{self as ix, CLOCK, endpoint_loopbacks, instruction, pool, registry, tunnel_ids},
    view::NetworkView,
};

/// Registers a device.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn create_device(
    view: &NetworkView,
    signer: &Pubkey,
    contributor: Pubkey,
    exchange: Pubkey,
    args: CreateDeviceArgs,
) -> Result<Instruction> {
    let first = config(view)?.endpoint_loopback_first;
    Ok(ix::device::create_device(view.program(), signer, contributor, exchange, first, args))
}

/// Changes type, caps and the number of endpoints.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn update_device(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    device_type: DeviceType,
    caps: DeviceCaps,
    endpoints_wanted: u8,
) -> Result<Instruction> {
    let contributor = device(view, &key)?.contributor;
    Ok(ix::device::update_device(view.program(), signer, contributor, key, device_type, caps, endpoints_wanted))
}

/// Moves it to another address.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn set_device_public_ip(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    public_ip: Ipv4Addr,
) -> Result<Instruction> {
    let device = device(view, &key)?;
    let old_payer = payer(view, &registry(view.program(), device.public_ip), signer);
    let set = ix::device::set_device_public_ip;
    Ok(set(view.program(), signer, device.contributor, key, (device.public_ip, old_payer), public_ip))
}

/// Registers an own prefix.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn add_device_prefix(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let contributor = device(view, &key)?.contributor;
    Ok(ix::device::add_device_prefix(view.program(), signer, contributor, key, net))
}

/// Removes a prefix.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn remove_device_prefix(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let device = device(view, &key)?;
    let prefix = device.prefixes.iter().find(|prefix| prefix.net == net);
    let prefix = prefix.ok_or_else(|| BuildError::NoPool { kind: PoolKind::DevicePrefix, value: net.to_string() })?;
    Ok(remove_prefix(view, signer, (key, device), prefix))
}

/// Carves a prefix out of what of its contributor's space holds it: a prefix of its own, or a /24 that it was given, which
/// need not be on the chain yet.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn carve_device_prefix(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let program = view.program();
    let of = device(view, &key)?.contributor;
    let own = view.contributor(&of).and_then(|it| it.prefixes.iter().find(|prefix| prefix.overlaps(&net)));
    let block = match own {
        Some(own) => pool(program, PoolKind::ContributorPrefix, &of, own.network()),
        None => pool(program, PoolKind::ContributorBlock, &of, base_of(net.network()).into()),
    };
    Ok(ix::device::carve_device_prefix(program, signer, block, key, net))
}

/// Pulls an address off the prefix that holds it onto a loopback.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn pull_endpoint(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    ip: Ipv4Addr,
    loopback_number: u16,
) -> Result<Instruction> {
    let first = config(view)?.endpoint_loopback_first;
    let prefix = device(view, &key)?.prefixes.iter().find(|prefix| prefix.net.contains(&ip));
    let prefix = prefix.ok_or_else(|| BuildError::NoPool { kind: PoolKind::DevicePrefix, value: ip.to_string() })?;
    Ok(ix::device::pull_endpoint(view.program(), signer, key, prefix.net, first, ip, loopback_number))
}

/// Drains it.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn drain_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::device::drain_device(view.program(), signer, device(view, &key)?.contributor, key))
}

/// Opens it again.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn undrain_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::device::undrain_device(view.program(), signer, device(view, &key)?.contributor, key))
}

/// Starts its end.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn delete_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::device::delete_device(view.program(), signer, device(view, &key)?.contributor, key))
}

fn remove_prefix(
    view: &NetworkView,
    signer: &Pubkey,
    (key, device): (Pubkey, &Device),
    prefix: &DevicePrefix,
) -> Instruction {
    let program = view.program();
    let net = prefix.net;
    let pool = pool(program, PoolKind::DevicePrefix, &key, net.network());
    let (block, registry) = match prefix.source {
        PrefixSource::Own => (None, Some(registry(program, net.network()))),
        PrefixSource::Carved { pool } => (Some(pool), None),
    };
    let list = lists::RemoveDevicePrefix {
        config: pda::config(program).0,
        device: key,
        clock: CLOCK,
        contributor: device.contributor,
        pool,
        pool_payer: payer(view, &pool, signer),
        block,
        registry,
        registry_payer: registry.map(|registry| payer(view, &registry, signer)),
    };
    instruction(program, signer, &I::RemoveDevicePrefix { net }, list.metas(program))
}

/// Closes a device that goes away and has neither interfaces nor prefixes.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn close_device_account(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let device = device(view, &key)?;
    let registry = registry(program, device.public_ip);
    let list = lists::CloseDevice {
        config: pda::config(program).0,
        device: key,
        device_payer: payer(view, &key, signer),
        contributor: device.contributor,
        exchange: device.exchange,
        registry,
        registry_payer: payer(view, &registry, signer),
        tunnel_ids: tunnel_ids(program, &key),
        loopbacks: endpoint_loopbacks(program, &key, config(view)?.endpoint_loopback_first),
    };
    Ok(instruction(program, signer, &I::CloseDevice, list.metas(program)))
}

/// Ends a device that goes away: its interfaces, its prefixes, itself. [`super::pack`] makes transactions of it.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn close_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let device = device(view, &key)?;
    let mut instructions = Vec::new();
    for (interface_key, interface) in view.interfaces_of_device(&key) {
        if interface.status != InterfaceStatus::Deleting {
            instructions.push(super::delete_interface(view, signer, *interface_key)?);
        }
        instructions.push(super::close_interface(view, signer, *interface_key)?);
    }
    instructions.extend(device.prefixes.iter().map(|prefix| remove_prefix(view, signer, (key, device), prefix)));
    instructions.push(close_device_account(view, signer, key)?);
    Ok(instructions)
}

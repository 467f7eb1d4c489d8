//! Devices: their prefixes, endpoints and end.

use std::net::Ipv4Addr;

use dz_serviceability::{
    instruction::CreateDeviceArgs,
    network::NetworkV4,
    state::{DeviceCaps, DeviceType, InterfaceStatus, PoolKind},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    BuildError, Result,
    find::{config, contributor, device, interface},
};
use crate::{instruction as ix, view::NetworkView};

/// Registers a device.
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
pub fn set_device_public_ip(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    public_ip: Ipv4Addr,
) -> Result<Instruction> {
    let device = device(view, &key)?;
    let set = ix::device::set_device_public_ip;
    Ok(set(view.program(), signer, device.contributor, key, device.public_ip, public_ip))
}

/// Registers an own prefix.
pub fn add_device_prefix(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let contributor = device(view, &key)?.contributor;
    Ok(ix::device::add_device_prefix(view.program(), signer, contributor, key, net))
}

/// Removes a prefix.
pub fn remove_device_prefix(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let device = device(view, &key)?;
    let prefix = device.prefixes.iter().find(|prefix| prefix.net == net);
    let prefix = prefix.ok_or_else(|| BuildError::NoPool { kind: PoolKind::DevicePrefix, value: net.to_string() })?;
    Ok(ix::device::remove_device_prefix(view.program(), signer, device.contributor, key, prefix))
}

/// Carves a prefix out of the contributor's /24 that holds it.
pub fn carve_device_prefix(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let contributor = device(view, &key)?.contributor;
    Ok(ix::device::carve_device_prefix(view.program(), signer, contributor, key, net))
}

/// Pulls an address off the prefix that holds it onto a loopback.
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
pub fn drain_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::device::drain_device(view.program(), signer, device(view, &key)?.contributor, key))
}

/// Opens it again.
pub fn undrain_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::device::undrain_device(view.program(), signer, device(view, &key)?.contributor, key))
}

/// Starts its end.
pub fn delete_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::device::delete_device(view.program(), signer, device(view, &key)?.contributor, key))
}

/// Ends a device that goes away: its interfaces, its prefixes, itself. [`super::pack`] makes transactions of it.
pub fn close_device(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let program = view.program();
    let device = device(view, &key)?;
    let owner = contributor(view, &device.contributor)?.owner;
    let first_loopback = config(view)?.endpoint_loopback_first;
    let mut instructions = Vec::new();
    for (interface_key, _) in view.interfaces_of_device(&key) {
        let interface = interface(view, interface_key)?;
        if interface.status != InterfaceStatus::Deleting {
            let delete = ix::interface::delete_interface;
            instructions.push(delete(program, signer, device.contributor, key, *interface_key));
        }
        let close = ix::interface::close_interface;
        let interface = (*interface_key, interface);
        instructions.push(close(program, signer, device.contributor, owner, first_loopback, interface));
    }
    let remove = |prefix| ix::device::remove_device_prefix(program, signer, device.contributor, key, prefix);
    instructions.extend(device.prefixes.iter().map(remove));
    let ids = ix::device::CloseDevice {
        contributor: device.contributor,
        contributor_owner: owner,
        exchange: device.exchange,
        device: key,
        public_ip: device.public_ip,
        first_loopback,
    };
    instructions.push(ix::device::close_device(program, signer, ids));
    Ok(instructions)
}

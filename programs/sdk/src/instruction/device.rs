//! Verbs of devices.

use std::net::Ipv4Addr;

use dz_serviceability::{
    instruction::{CreateDeviceArgs, ServiceabilityInstruction as I},
    network::NetworkV4,
    pda,
    state::{DeviceCaps, DevicePrefix, DeviceType, PoolKind, PrefixSource},
    validation::InterfaceName,
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{config_instruction, endpoint_loopbacks, instruction, pool, registry, tunnel_ids, w};

/// Registers a device. `first_loopback` is the first number of the range in the config. Accounts: contributor,
/// exchange, device, registry of its public_ip, tunnel ids, endpoint loopbacks.
pub fn create_device(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    exchange: Pubkey,
    first_loopback: u16,
    args: CreateDeviceArgs,
) -> Instruction {
    let device = pda::device(program, &args.code).0;
    let accounts = [
        w(contributor),
        w(exchange),
        w(device),
        w(registry(program, args.public_ip)),
        w(tunnel_ids(program, &device)),
        w(endpoint_loopbacks(program, &device, first_loopback)),
    ];
    config_instruction(program, signer, &I::CreateDevice(args), accounts)
}

/// Changes type, caps and the number of endpoints. Accounts: contributor, device.
pub fn update_device(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    device_type: DeviceType,
    caps: DeviceCaps,
    endpoints_wanted: u8,
) -> Instruction {
    let data = I::UpdateDevice { device_type, caps, endpoints_wanted };
    instruction(program, signer, &data, [w(contributor), w(device)])
}

/// Moves it to another address. Accounts: contributor, device, registry of the old address, and that of the new one
/// unless both share it.
pub fn set_device_public_ip(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    old_ip: Ipv4Addr,
    public_ip: Ipv4Addr,
) -> Instruction {
    let (old, new) = (registry(program, old_ip), registry(program, public_ip));
    let mut accounts = vec![w(contributor), w(device), w(old)];
    if new != old {
        accounts.push(w(new));
    }
    instruction(program, signer, &I::SetDevicePublicIp { public_ip }, accounts)
}

/// Registers an own prefix. Accounts: contributor, device, registry of the prefix, its pool.
pub fn add_device_prefix(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    net: NetworkV4,
) -> Instruction {
    let pool = pool(program, PoolKind::DevicePrefix, &device, net.network());
    let accounts = [w(contributor), w(device), w(registry(program, net.network())), w(pool)];
    instruction(program, signer, &I::AddDevicePrefix { net }, accounts)
}

/// Removes a prefix. Accounts: contributor, device, its pool, and the registry of an own prefix or the pool that a
/// carved one came from.
pub fn remove_device_prefix(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    prefix: &DevicePrefix,
) -> Instruction {
    let net = prefix.net;
    let source = match prefix.source {
        PrefixSource::Own => registry(program, net.network()),
        PrefixSource::Carved { pool } => pool,
    };
    let pool = pool(program, PoolKind::DevicePrefix, &device, net.network());
    let accounts = [w(contributor), w(device), w(pool), w(source)];
    instruction(program, signer, &I::RemoveDevicePrefix { net }, accounts)
}

/// Carves a prefix out of the contributor's /24. Accounts: device, pool of the /24, pool of the prefix.
pub fn carve_device_prefix(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    net: NetworkV4,
) -> Instruction {
    let block = Ipv4Addr::from(u32::from(net.network()) & !0xff);
    let accounts = [
        w(device),
        w(pool(program, PoolKind::ContributorBlock, &contributor, block)),
        w(pool(program, PoolKind::DevicePrefix, &device, net.network())),
    ];
    instruction(program, signer, &I::CarveDevicePrefix { net }, accounts)
}

/// Pulls an address off a prefix onto a loopback. Accounts: device, pool of the prefix, endpoint loopbacks,
/// interface.
pub fn pull_endpoint(
    program: &Pubkey,
    signer: &Pubkey,
    device: Pubkey,
    prefix: NetworkV4,
    first_loopback: u16,
    ip: Ipv4Addr,
    loopback_number: u16,
) -> Instruction {
    let name = InterfaceName::loopback(loopback_number).to_string();
    let accounts = [
        w(device),
        w(pool(program, PoolKind::DevicePrefix, &device, prefix.network())),
        w(endpoint_loopbacks(program, &device, first_loopback)),
        w(pda::interface(program, &device, &name).0),
    ];
    instruction(program, signer, &I::PullEndpoint { ip, loopback_number }, accounts)
}

/// Opens a device that has what it needs. Accounts: device.
pub fn activate_device(program: &Pubkey, signer: &Pubkey, device: Pubkey) -> Instruction {
    instruction(program, signer, &I::ActivateDevice, [w(device)])
}

/// Drains it. Accounts: contributor, device.
pub fn drain_device(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, device: Pubkey) -> Instruction {
    instruction(program, signer, &I::DrainDevice, [w(contributor), w(device)])
}

/// Opens it again. Accounts: contributor, device.
pub fn undrain_device(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, device: Pubkey) -> Instruction {
    instruction(program, signer, &I::UndrainDevice, [w(contributor), w(device)])
}

/// Starts its end. Accounts: contributor, device.
pub fn delete_device(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, device: Pubkey) -> Instruction {
    instruction(program, signer, &I::DeleteDevice, [w(contributor), w(device)])
}

/// What closing a device refers to.
#[derive(Clone, Copy, Debug)]
pub struct CloseDevice {
    /// Its contributor.
    pub contributor: Pubkey,
    /// Who owns the contributor: the rent goes there.
    pub contributor_owner: Pubkey,
    /// Its metro.
    pub exchange: Pubkey,
    /// The device.
    pub device: Pubkey,
    /// Its address.
    pub public_ip: Ipv4Addr,
    /// The first number of the loopback range in the config.
    pub first_loopback: u16,
}

/// Closes a device that has neither interfaces nor prefixes. Accounts: contributor, exchange, device, owner,
/// registry of its public_ip, tunnel ids, endpoint loopbacks.
pub fn close_device(program: &Pubkey, signer: &Pubkey, ids: CloseDevice) -> Instruction {
    let accounts = [
        w(ids.contributor),
        w(ids.exchange),
        w(ids.device),
        w(ids.contributor_owner),
        w(registry(program, ids.public_ip)),
        w(tunnel_ids(program, &ids.device)),
        w(endpoint_loopbacks(program, &ids.device, ids.first_loopback)),
    ];
    config_instruction(program, signer, &I::CloseDevice, accounts)
}

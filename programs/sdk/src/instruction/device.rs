//! Verbs of devices.

use std::net::Ipv4Addr;

use dz_serviceability::{
    address_registry::base_of,
    instruction::{CreateDeviceArgs, ServiceabilityInstruction as I},
    lists,
    network::NetworkV4,
    pda,
    state::{DeviceCaps, DeviceType, PoolKind},
    validation::InterfaceName,
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{CLOCK, clients, endpoint_loopbacks, instruction, pool, registry, tunnel_ids};

/// Registers a device. `first_loopback` is the first number of the range in the config.
pub fn create_device(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    exchange: Pubkey,
    first_loopback: u16,
    args: CreateDeviceArgs,
) -> Instruction {
    let device = pda::device(program, &args.code).0;
    let list = lists::CreateDevice {
        config: pda::config(program).0,
        device,
        clock: CLOCK,
        contributor,
        exchange,
        registry: registry(program, args.public_ip),
        clients: clients(program, args.public_ip),
        tunnel_ids: tunnel_ids(program, &device),
        loopbacks: endpoint_loopbacks(program, &device, first_loopback),
    };
    instruction(program, signer, &I::CreateDevice(args), list.metas(program))
}

/// Changes type, caps and the number of endpoints.
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
    let list = lists::UpdateDevice { config: pda::config(program).0, device, clock: CLOCK, contributor };
    instruction(program, signer, &data, list.metas(program))
}

/// Moves it to another address; `old_payer` paid for the registry of the old one.
pub fn set_device_public_ip(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    (old_ip, old_payer): (Ipv4Addr, Pubkey),
    public_ip: Ipv4Addr,
) -> Instruction {
    let moves = base_of(old_ip) != base_of(public_ip);
    let list = lists::SetDevicePublicIp {
        config: pda::config(program).0,
        device,
        contributor,
        old_registry: registry(program, old_ip),
        old_registry_payer: old_payer,
        registry: moves.then(|| registry(program, public_ip)),
        clients: clients(program, public_ip),
    };
    instruction(program, signer, &I::SetDevicePublicIp { public_ip }, list.metas(program))
}

/// Registers an own prefix.
pub fn add_device_prefix(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    net: NetworkV4,
) -> Instruction {
    let list = lists::AddDevicePrefix {
        config: pda::config(program).0,
        device,
        contributor,
        registry: registry(program, net.network()),
        pool: pool(program, PoolKind::DevicePrefix, &device, net.network()),
    };
    instruction(program, signer, &I::AddDevicePrefix { net }, list.metas(program))
}

/// Carves a prefix out of what its contributor has with this pool.
pub fn carve_device_prefix(
    program: &Pubkey,
    signer: &Pubkey,
    block: Pubkey,
    device: Pubkey,
    net: NetworkV4,
) -> Instruction {
    let list = lists::CarveDevicePrefix {
        config: pda::config(program).0,
        device,
        block,
        pool: pool(program, PoolKind::DevicePrefix, &device, net.network()),
    };
    instruction(program, signer, &I::CarveDevicePrefix { net }, list.metas(program))
}

/// Pulls an address off a prefix onto a loopback.
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
    let list = lists::PullEndpoint {
        config: pda::config(program).0,
        device,
        prefix: pool(program, PoolKind::DevicePrefix, &device, prefix.network()),
        loopbacks: endpoint_loopbacks(program, &device, first_loopback),
        interface: pda::interface(program, &device, &name).0,
        clients: clients(program, ip),
    };
    instruction(program, signer, &I::PullEndpoint { ip, loopback_number }, list.metas(program))
}

/// Opens a device that has what it needs.
pub fn activate_device(program: &Pubkey, signer: &Pubkey, device: Pubkey) -> Instruction {
    let list = lists::ActivateDevice { config: pda::config(program).0, device };
    instruction(program, signer, &I::ActivateDevice, list.metas(program))
}

/// Drains it.
pub fn drain_device(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, device: Pubkey) -> Instruction {
    let list = lists::DrainDevice { config: pda::config(program).0, device, contributor };
    instruction(program, signer, &I::DrainDevice, list.metas(program))
}

/// Opens it again.
pub fn undrain_device(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, device: Pubkey) -> Instruction {
    let list = lists::UndrainDevice { config: pda::config(program).0, device, contributor };
    instruction(program, signer, &I::UndrainDevice, list.metas(program))
}

/// Starts its end.
pub fn delete_device(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, device: Pubkey) -> Instruction {
    let list = lists::DeleteDevice { config: pda::config(program).0, device, contributor };
    instruction(program, signer, &I::DeleteDevice, list.metas(program))
}

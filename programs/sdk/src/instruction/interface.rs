//! Verbs of interfaces.

use std::net::Ipv4Addr;

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    lists, pda,
    state::{EndpointService, InterfaceMetadata},
    validation::InterfaceName,
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{CLOCK, clients, endpoint_loopbacks, instruction, registry};

/// What creating an interface refers to.
#[derive(Clone, Debug)]
pub struct CreateInterface {
    /// The device's contributor.
    pub contributor: Pubkey,
    /// The device.
    pub device: Pubkey,
    /// Its public_ip: an interface that stands for it registers nothing.
    pub public_ip: Ipv4Addr,
    /// The loopback range of the config, first and last number.
    pub loopback_range: (u16, u16),
    /// The name, in full or short form.
    pub name: String,
    /// Its address.
    pub ip: Option<Ipv4Addr>,
    /// True when users' tunnels may end on it.
    pub user_tunnel_endpoint: bool,
}

/// Creates an interface.
pub fn create_interface(program: &Pubkey, signer: &Pubkey, ids: CreateInterface) -> Instruction {
    let CreateInterface { contributor, device, public_ip, loopback_range, name, ip, user_tunnel_endpoint } = ids;
    let parsed: Option<InterfaceName> = name.parse().ok();
    // A name that is none is refused by the program; any address leads there.
    let full = parsed.as_ref().map_or(name.clone(), ToString::to_string);
    let own = ip.filter(|ip| *ip != public_ip);
    let (first, last) = loopback_range;
    let number = parsed.and_then(|name| name.loopback_number()).filter(|number| (first..=last).contains(number));
    let list = lists::CreateInterface {
        config: pda::config(program).0,
        interface: pda::interface(program, &device, &full).0,
        clock: CLOCK,
        contributor,
        device,
        registry: own.map(|ip| registry(program, ip)),
        clients: own.map(|ip| clients(program, ip)),
        loopbacks: number.map(|_| endpoint_loopbacks(program, &device, first)),
    };
    instruction(program, signer, &I::CreateInterface { name, ip, user_tunnel_endpoint }, list.metas(program))
}

/// Changes which tunnels may end on it and what is noted about it.
pub fn update_interface(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    interface: Pubkey,
    (service, metadata): (EndpointService, InterfaceMetadata),
) -> Instruction {
    let list = lists::UpdateInterface { config: pda::config(program).0, interface, contributor, device };
    instruction(program, signer, &I::UpdateInterface { service, metadata }, list.metas(program))
}

/// Puts it into the device's configuration.
pub fn activate_interface(program: &Pubkey, signer: &Pubkey, device: Pubkey, interface: Pubkey) -> Instruction {
    let list = lists::ActivateInterface { config: pda::config(program).0, interface, device };
    instruction(program, signer, &I::ActivateInterface, list.metas(program))
}

/// Starts its end.
pub fn delete_interface(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    interface: Pubkey,
) -> Instruction {
    let list = lists::DeleteInterface { config: pda::config(program).0, interface, clock: CLOCK, contributor, device };
    instruction(program, signer, &I::DeleteInterface, list.metas(program))
}

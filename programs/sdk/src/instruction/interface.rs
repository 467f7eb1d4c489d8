//! Verbs of interfaces.

use std::net::Ipv4Addr;

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    pda,
    state::{AddressSource, Interface},
    validation::InterfaceName,
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{endpoint_loopbacks, instruction, registry, w};

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

/// Creates an interface. Accounts: contributor, device, interface; for an own address its registry; for a loopback of
/// the range the endpoint loopbacks.
pub fn create_interface(program: &Pubkey, signer: &Pubkey, ids: CreateInterface) -> Instruction {
    let parsed: Option<InterfaceName> = ids.name.parse().ok();
    // A name that is none is refused by the program; any address leads there.
    let full = parsed.as_ref().map_or(ids.name.clone(), ToString::to_string);
    let mut accounts = vec![w(ids.contributor), w(ids.device), w(pda::interface(program, &ids.device, &full).0)];
    if let Some(ip) = ids.ip.filter(|ip| *ip != ids.public_ip) {
        accounts.push(w(registry(program, ip)));
    }
    let (first, last) = ids.loopback_range;
    if parsed.and_then(|name| name.loopback_number()).is_some_and(|number| (first..=last).contains(&number)) {
        accounts.push(w(endpoint_loopbacks(program, &ids.device, first)));
    }
    let CreateInterface { name, ip, user_tunnel_endpoint, .. } = ids;
    instruction(program, signer, &I::CreateInterface { name, ip, user_tunnel_endpoint }, accounts)
}

/// Puts it into the device's configuration. Accounts: device, interface.
pub fn activate_interface(program: &Pubkey, signer: &Pubkey, device: Pubkey, interface: Pubkey) -> Instruction {
    instruction(program, signer, &I::ActivateInterface, [w(device), w(interface)])
}

/// Starts its end. Accounts: contributor, device, interface.
pub fn delete_interface(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    device: Pubkey,
    interface: Pubkey,
) -> Instruction {
    instruction(program, signer, &I::DeleteInterface, [w(contributor), w(device), w(interface)])
}

/// Closes it. Accounts: contributor, device, interface, owner; the registry of an own address or the pool of a pulled
/// one; the endpoint loopbacks when it holds a number.
pub fn close_interface(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    contributor_owner: Pubkey,
    first_loopback: u16,
    interface: (Pubkey, &Interface),
) -> Instruction {
    let (key, interface) = interface;
    let mut accounts = vec![w(contributor), w(interface.device), w(key), w(contributor_owner)];
    if let Some(address) = interface.address {
        match address.source {
            AddressSource::PublicIp => {}
            AddressSource::Own => accounts.push(w(registry(program, address.ip))),
            AddressSource::Pulled { pool } => accounts.push(w(pool)),
        }
    }
    if interface.loopback_number.is_some() {
        accounts.push(w(endpoint_loopbacks(program, &interface.device, first_loopback)));
    }
    instruction(program, signer, &I::CloseInterface, accounts)
}

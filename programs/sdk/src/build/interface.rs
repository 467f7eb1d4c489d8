//! Interfaces.

use std::net::Ipv4Addr;

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    lists, pda,
    state::{AddressSource, EndpointService, InterfaceMetadata},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{config, device, interface, payer},
};
use crate::{
    instruction::{self as ix, endpoint_loopbacks, instruction, registry},
    view::NetworkView,
};

/// Creates an interface; the name may be in short form.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn create_interface(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    name: &str,
    ip: Option<Ipv4Addr>,
    user_tunnel_endpoint: bool,
) -> Result<Instruction> {
    let (config, device) = (config(view)?, device(view, &key)?);
    let ids = ix::interface::CreateInterface {
        contributor: device.contributor,
        device: key,
        public_ip: device.public_ip,
        loopback_range: (config.endpoint_loopback_first, config.endpoint_loopback_last),
        name: name.to_owned(),
        ip,
        user_tunnel_endpoint,
    };
    Ok(ix::interface::create_interface(view.program(), signer, ids))
}

/// Changes which tunnels may end on it and what is noted about it.
///
/// # Errors
/// The interface or its device is not in the view.
pub fn update_interface(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    service: EndpointService,
    metadata: InterfaceMetadata,
) -> Result<Instruction> {
    let of = interface(view, &key)?.device;
    let contributor = device(view, &of)?.contributor;
    Ok(ix::interface::update_interface(view.program(), signer, contributor, of, key, (service, metadata)))
}

/// Puts it into the device's configuration.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn activate_interface(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::interface::activate_interface(view.program(), signer, interface(view, &key)?.device, key))
}

/// Starts its end.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn delete_interface(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let of = interface(view, &key)?.device;
    let contributor = device(view, &of)?.contributor;
    Ok(ix::interface::delete_interface(view.program(), signer, contributor, of, key))
}

/// Closes it.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn close_interface(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let interface = interface(view, &key)?;
    let (prefix, registry) = match interface.address.map(|address| (address.source, address.ip)) {
        None | Some((AddressSource::PublicIp, _)) => (None, None),
        Some((AddressSource::Own, ip)) => (None, Some(registry(program, ip))),
        Some((AddressSource::Pulled { pool }, _)) => (Some(pool), None),
    };
    let first = config(view)?.endpoint_loopback_first;
    let list = lists::CloseInterface {
        config: pda::config(program).0,
        interface: key,
        interface_payer: payer(view, &key, signer),
        device: interface.device,
        prefix,
        registry,
        registry_payer: registry.map(|registry| payer(view, &registry, signer)),
        loopbacks: interface.loopback_number.map(|_| endpoint_loopbacks(program, &interface.device, first)),
    };
    Ok(instruction(program, signer, &I::CloseInterface, list.metas(program)))
}

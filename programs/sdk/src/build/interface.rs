//! Interfaces.

use std::net::Ipv4Addr;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{config, contributor, device, interface},
};
use crate::{instruction as ix, view::NetworkView};

/// Creates an interface; the name may be in short form.
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

/// Puts it into the device's configuration.
pub fn activate_interface(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::interface::activate_interface(view.program(), signer, interface(view, &key)?.device, key))
}

/// Starts its end.
pub fn delete_interface(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let of = interface(view, &key)?.device;
    let contributor = device(view, &of)?.contributor;
    Ok(ix::interface::delete_interface(view.program(), signer, contributor, of, key))
}

/// Closes it.
pub fn close_interface(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let interface = interface(view, &key)?;
    let contributor_key = device(view, &interface.device)?.contributor;
    let owner = contributor(view, &contributor_key)?.owner;
    let first = config(view)?.endpoint_loopback_first;
    let close = ix::interface::close_interface;
    Ok(close(view.program(), signer, contributor_key, owner, first, (key, interface)))
}

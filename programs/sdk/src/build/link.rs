//! Links.

use dz_serviceability::{
    network::NetworkV4,
    state::{LinkEnd, LinkStatus, PoolKind},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{contributor, device, global_pool, interface, link},
};
use crate::{instruction as ix, instruction::link::LinkNumbers, view::NetworkView};

/// Creates a link from interface to interface; side A's contributor asks.
pub fn create_link(
    view: &NetworkView,
    signer: &Pubkey,
    code: &str,
    side_a: Pubkey,
    side_z: Pubkey,
    numbers: LinkNumbers,
) -> Result<Instruction> {
    let end = |key: Pubkey| Ok(LinkEnd { device: interface(view, &key)?.device, interface: key });
    let ends = (end(side_a)?, end(side_z)?);
    let contributor = device(view, &ends.0.device)?.contributor;
    Ok(ix::link::create_link(view.program(), signer, contributor, code, ends, numbers))
}

/// Side Z agrees.
pub fn accept_link(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let side_z = link(view, &key)?.side_z;
    let contributor = device(view, &side_z.device)?.contributor;
    Ok(ix::link::accept_link(view.program(), signer, contributor, side_z, key))
}

/// Gives it its network, out of the block that holds it.
pub fn activate_link(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let pool = global_pool(view, PoolKind::DeviceTunnelBlock, net.network())?;
    Ok(ix::link::activate_link(view.program(), signer, (key, link(view, &key)?), pool, net))
}

/// Changes delay and bandwidth.
pub fn update_link(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    delay_ns: u64,
    bandwidth: u64,
) -> Result<Instruction> {
    let contributor = link(view, &key)?.contributor;
    Ok(ix::link::update_link(view.program(), signer, contributor, key, delay_ns, bandwidth))
}

/// Drains it or opens it again, as the side whose contributor the signer owns, or else as side A.
pub fn set_link_status(view: &NetworkView, signer: &Pubkey, key: Pubkey, status: LinkStatus) -> Result<Instruction> {
    let link = link(view, &key)?;
    let side = |end: LinkEnd| -> Result<_> {
        let contributor_key = device(view, &end.device)?.contributor;
        Ok((contributor_key, end.device, contributor(view, &contributor_key)?.owner == *signer))
    };
    let (a, z) = (side(link.side_a)?, side(link.side_z)?);
    let (contributor, device, _) = if z.2 && !a.2 { z } else { a };
    Ok(ix::link::set_link_status(view.program(), signer, contributor, device, key, status))
}

/// Starts its end.
pub fn delete_link(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::link::delete_link(view.program(), signer, link(view, &key)?.contributor, key))
}

/// Closes it.
pub fn close_link(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let link = link(view, &key)?;
    let owner = contributor(view, &link.contributor)?.owner;
    Ok(ix::link::close_link(view.program(), signer, owner, (key, link)))
}

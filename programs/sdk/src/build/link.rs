//! Links.

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    lists,
    network::NetworkV4,
    pda,
    state::{LinkEnd, LinkStatus, PoolKind},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{device, global_pool, interface, link, payer},
};
use crate::{
    instruction::{self as ix, instruction, link::LinkNumbers},
    view::NetworkView,
};

/// Creates a link from interface to interface; side A's contributor asks.
///
/// # Errors
/// Something that the instruction needs is not in the view.
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
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn accept_link(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let side_z = link(view, &key)?.side_z;
    let contributor = device(view, &side_z.device)?.contributor;
    Ok(ix::link::accept_link(view.program(), signer, contributor, side_z, key))
}

/// Gives it its network, out of the block that holds it.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn activate_link(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Result<Instruction> {
    let pool = global_pool(view, PoolKind::DeviceTunnelBlock, net.network())?;
    Ok(ix::link::activate_link(view.program(), signer, (key, link(view, &key)?), pool, net))
}

/// Changes delay and bandwidth.
///
/// # Errors
/// Something that the instruction needs is not in the view.
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

/// Drains it or takes that back, as the side whose contributor the signer owns, or else as side A.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn set_link_status(view: &NetworkView, signer: &Pubkey, key: Pubkey, status: LinkStatus) -> Result<Instruction> {
    let (contributor, device) = side_of(view, signer, &key)?;
    Ok(ix::link::set_link_status(view.program(), signer, contributor, device, key, status))
}

/// Starts its end, as the side whose contributor the signer owns, or else as side A.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn delete_link(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let (contributor, device) = side_of(view, signer, &key)?;
    Ok(ix::link::delete_link(view.program(), signer, contributor, device, key))
}

/// Contributor and device of the side of a link for which this key acts.
fn side_of(view: &NetworkView, signer: &Pubkey, key: &Pubkey) -> Result<(Pubkey, Pubkey)> {
    let link = link(view, key)?;
    // The device of a side Z that has not accepted may be gone.
    let z = view.device(&link.side_z.device).map(|device| (device.contributor, link.side_z.device));
    let a = (device(view, &link.side_a.device)?.contributor, link.side_a.device);
    let owns = |side: &(Pubkey, Pubkey)| view.contributor(&side.0).is_some_and(|found| found.owner == *signer);
    Ok(z.filter(|z| owns(z) && !owns(&a)).unwrap_or(a))
}

/// Closes it.
///
/// # Errors
/// When the view lacks the link.
pub fn close_link(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let link = link(view, &key)?;
    let list = lists::CloseLink {
        config: pda::config(program).0,
        link: key,
        link_payer: payer(view, &key, signer),
        contributor: link.contributor,
        device_a: link.side_a.device,
        interface_a: link.side_a.interface,
        device_z: link.accepted.then_some(link.side_z.device),
        interface_z: link.accepted.then_some(link.side_z.interface),
        pool: link.network.map(|network| network.pool),
    };
    Ok(instruction(program, signer, &I::CloseLink, list.metas(program)))
}

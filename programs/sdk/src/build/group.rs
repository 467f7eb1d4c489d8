//! Multicast groups.

use std::net::Ipv4Addr;

use dz_serviceability::state::PoolKind;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{global_pool, group},
};
use crate::{instruction as ix, view::NetworkView};

/// Gives a group its address, out of the block that holds it.
pub fn activate_multicast_group(view: &NetworkView, signer: &Pubkey, key: Pubkey, ip: Ipv4Addr) -> Result<Instruction> {
    let pool = global_pool(view, PoolKind::MulticastGroupBlock, ip)?;
    Ok(ix::multicast_group::activate_multicast_group(view.program(), signer, key, pool, ip))
}

/// Closes a group that goes away.
pub fn close_multicast_group(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let group = group(view, &key)?;
    let close = ix::multicast_group::close_multicast_group;
    Ok(close(view.program(), signer, key, group.owner, group.address))
}

//! Multicast groups.

use std::net::Ipv4Addr;

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, pda, state::PoolKind};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{global_pool, group, payer},
};
use crate::{
    instruction::{self as ix, instruction},
    view::NetworkView,
};

/// Gives a group its address, out of the block that holds it.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn activate_multicast_group(view: &NetworkView, signer: &Pubkey, key: Pubkey, ip: Ipv4Addr) -> Result<Instruction> {
    let pool = global_pool(view, PoolKind::MulticastGroupBlock, ip)?;
    Ok(ix::multicast_group::activate_multicast_group(view.program(), signer, key, pool, ip))
}

/// Closes a group that goes away.
///
/// # Errors
/// When the view lacks the group.
pub fn close_multicast_group(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let group = group(view, &key)?;
    let list = lists::CloseMulticastGroup {
        config: pda::config(program).0,
        group: key,
        group_payer: payer(view, &key, signer),
        pool: group.address.map(|address| address.pool),
    };
    Ok(instruction(program, signer, &I::CloseMulticastGroup, list.metas(program)))
}

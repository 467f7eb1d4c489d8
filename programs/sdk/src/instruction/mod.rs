//! A pure function for each verb of the program whose accounts follow from plain ids: ids in, an instruction out. Which
//! accounts it lists is in [`dz_serviceability::lists`].
//!
//! Where the list depends on what the chain holds, such as on who paid for what is closed, [`crate::build`] finds the
//! accounts in a view.

pub mod access_pass;
pub mod contributor;
pub mod device;
pub mod exchange;
pub mod global_config;
pub mod interface;
pub mod link;
pub mod multicast_group;
pub mod tenant;
pub mod user;

use std::net::Ipv4Addr;

use dz_serviceability::{
    address_registry::base_of,
    instruction::ServiceabilityInstruction,
    pda,
    state::{Pool, PoolKind},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use crate::view::NetworkView;

/// The address of the clock sysvar.
pub const CLOCK: Pubkey = Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111");

/// The address of the registry that knows this address.
pub fn registry(program: &Pubkey, address: Ipv4Addr) -> Pubkey {
    pda::pool(program, PoolKind::AddressRegistry, &pda::config(program).0, base_of(address)).0
}

/// The address of the pool of a network's addresses or pieces.
pub fn pool(program: &Pubkey, kind: PoolKind, owner: &Pubkey, first: Ipv4Addr) -> Pubkey {
    pda::pool(program, kind, owner, first.into()).0
}

/// The address at which a pool lies.
pub fn pool_address(program: &Pubkey, pool: &Pool) -> Pubkey {
    pda::pool(program, pool.kind, &pool.owner, pool.base).0
}

/// The address of a device's tunnel ids.
pub fn tunnel_ids(program: &Pubkey, device: &Pubkey) -> Pubkey {
    let base = dz_serviceability::instruction::FIRST_TUNNEL_ID.into();
    pda::pool(program, PoolKind::TunnelIds, device, base).0
}

/// The address of a device's loopback numbers; `first` is the first number of the range in the config.
pub fn endpoint_loopbacks(program: &Pubkey, device: &Pubkey, first: u16) -> Pubkey {
    pda::pool(program, PoolKind::EndpointLoopbacks, device, first.into()).0
}

/// The address of the VRF ids.
pub fn vrf_ids(program: &Pubkey) -> Pubkey {
    let base = dz_serviceability::instruction::DEFAULT_VRF_ID.into();
    pda::pool(program, PoolKind::VrfIds, &pda::config(program).0, base).0
}

/// The address of the pool that knows whether a live client connects from this address.
pub fn clients(program: &Pubkey, address: Ipv4Addr) -> Pubkey {
    pda::pool(program, PoolKind::ClientAddresses, &pda::config(program).0, base_of(address)).0
}

/// An instruction with these accounts, of whichever life of what it is about.
pub(crate) fn instruction(
    program: &Pubkey,
    signer: &Pubkey,
    data: &ServiceabilityInstruction,
    accounts: Vec<AccountMeta>,
) -> Instruction {
    let mut list =
        vec![AccountMeta::new(*signer, true), AccountMeta::new_readonly(solana_system_interface::program::ID, false)];
    list.extend(accounts);
    Instruction { program_id: *program, accounts: list, data: data.encode(0) }
}

/// The place of the account that an instruction is about: after signer, system program and config.
const SUBJECT: usize = 3;

/// The same instruction, as it was decided on what this view shows: a later life of the account that it is about refuses
/// it. What the view does not have, such as an account that the same transaction creates, may be any.
pub fn decided_on(view: &NetworkView, mut instruction: Instruction) -> Instruction {
    let life = instruction.accounts.get(SUBJECT).and_then(|meta| view.life(&meta.pubkey)).unwrap_or(0);
    if let Some(bytes) = instruction.data.get_mut(1..9) {
        bytes.copy_from_slice(&life.to_le_bytes());
    }
    instruction
}

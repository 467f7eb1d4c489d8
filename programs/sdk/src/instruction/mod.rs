//! One pure function for each verb of the program: plain ids in, an instruction out. Each says which accounts it
//! lists after the head that all share: the signer (who pays), the system program, the config.
//!
//! Where the list depends on what the chain holds, [`crate::build`] finds the accounts in a view.

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
    instruction::ServiceabilityInstruction,
    pda,
    state::{Pool, PoolKind},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

/// The address of the clock sysvar.
pub const CLOCK: Pubkey = Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111");

/// The address of the registry that knows this address.
pub fn registry(program: &Pubkey, address: Ipv4Addr) -> Pubkey {
    let base = u32::from(address) & !0xff;
    pda::pool(program, PoolKind::AddressRegistry, &pda::config(program).0, base).0
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

/// An account that the instruction changes.
fn w(key: Pubkey) -> AccountMeta {
    AccountMeta::new(key, false)
}

/// An account that it only reads.
fn r(key: Pubkey) -> AccountMeta {
    AccountMeta::new_readonly(key, false)
}

/// An instruction that leaves the config as it is.
fn instruction(
    program: &Pubkey,
    signer: &Pubkey,
    data: &ServiceabilityInstruction,
    accounts: impl IntoIterator<Item = AccountMeta>,
) -> Instruction {
    with_config(program, signer, data, r(pda::config(program).0), accounts)
}

/// An instruction that changes the config.
fn config_instruction(
    program: &Pubkey,
    signer: &Pubkey,
    data: &ServiceabilityInstruction,
    accounts: impl IntoIterator<Item = AccountMeta>,
) -> Instruction {
    with_config(program, signer, data, w(pda::config(program).0), accounts)
}

fn with_config(
    program: &Pubkey,
    signer: &Pubkey,
    data: &ServiceabilityInstruction,
    config: AccountMeta,
    accounts: impl IntoIterator<Item = AccountMeta>,
) -> Instruction {
    let mut list = vec![AccountMeta::new(*signer, true), r(solana_system_interface::program::ID), config];
    list.extend(accounts);
    Instruction { program_id: *program, accounts: list, data: data.encode() }
}

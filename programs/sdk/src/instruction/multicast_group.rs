//! Verbs of multicast groups.

use std::net::Ipv4Addr;

use dz_serviceability::{instruction::ServiceabilityInstruction as I, pda, state::GroupAddress};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{instruction, w};

/// Creates a group. Accounts: group.
pub fn create_multicast_group(
    program: &Pubkey,
    signer: &Pubkey,
    code: &str,
    owner: Pubkey,
    max_bandwidth: u64,
) -> Instruction {
    let data = I::CreateMulticastGroup { code: code.to_owned(), owner, max_bandwidth };
    instruction(program, signer, &data, [w(pda::multicast_group(program, code).0)])
}

/// Changes owner and bandwidth. Accounts: group.
pub fn update_multicast_group(
    program: &Pubkey,
    signer: &Pubkey,
    group: Pubkey,
    owner: Pubkey,
    max_bandwidth: u64,
) -> Instruction {
    instruction(program, signer, &I::UpdateMulticastGroup { owner, max_bandwidth }, [w(group)])
}

/// Gives it its address. Accounts: group, pool of the block.
pub fn activate_multicast_group(
    program: &Pubkey,
    signer: &Pubkey,
    group: Pubkey,
    pool: Pubkey,
    ip: Ipv4Addr,
) -> Instruction {
    instruction(program, signer, &I::ActivateMulticastGroup { ip }, [w(group), w(pool)])
}

/// Starts its end. Accounts: group.
pub fn delete_multicast_group(program: &Pubkey, signer: &Pubkey, group: Pubkey) -> Instruction {
    instruction(program, signer, &I::DeleteMulticastGroup, [w(group)])
}

/// Closes it. Accounts: group, owner; the pool of its address when it has one.
pub fn close_multicast_group(
    program: &Pubkey,
    signer: &Pubkey,
    group: Pubkey,
    owner: Pubkey,
    address: Option<GroupAddress>,
) -> Instruction {
    let accounts = [w(group), w(owner)].into_iter().chain(address.map(|address| w(address.pool)));
    instruction(program, signer, &I::CloseMulticastGroup, accounts)
}

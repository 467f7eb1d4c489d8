//! Verbs of multicast groups.

use std::net::Ipv4Addr;

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::instruction;

/// Creates a group.
pub fn create_multicast_group(
    program: &Pubkey,
    signer: &Pubkey,
    code: &str,
    owner: Pubkey,
    max_bandwidth: u64,
) -> Instruction {
    let data = I::CreateMulticastGroup { code: code.to_owned(), owner, max_bandwidth };
    let list =
        lists::CreateMulticastGroup { config: pda::config(program).0, group: pda::multicast_group(program, code).0 };
    instruction(program, signer, &data, list.metas(program))
}

/// Changes owner and bandwidth.
pub fn update_multicast_group(
    program: &Pubkey,
    signer: &Pubkey,
    group: Pubkey,
    owner: Pubkey,
    max_bandwidth: u64,
) -> Instruction {
    let list = lists::UpdateMulticastGroup { config: pda::config(program).0, group };
    instruction(program, signer, &I::UpdateMulticastGroup { owner, max_bandwidth }, list.metas(program))
}

/// Gives it its address, out of the block with this pool.
pub fn activate_multicast_group(
    program: &Pubkey,
    signer: &Pubkey,
    group: Pubkey,
    pool: Pubkey,
    ip: Ipv4Addr,
) -> Instruction {
    let list = lists::ActivateMulticastGroup { config: pda::config(program).0, group, pool };
    instruction(program, signer, &I::ActivateMulticastGroup { ip }, list.metas(program))
}

/// Starts its end.
pub fn delete_multicast_group(program: &Pubkey, signer: &Pubkey, group: Pubkey) -> Instruction {
    let list = lists::DeleteMulticastGroup { config: pda::config(program).0, group };
    instruction(program, signer, &I::DeleteMulticastGroup, list.metas(program))
}

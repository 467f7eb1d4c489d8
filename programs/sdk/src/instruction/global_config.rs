//! Verbs of the config.

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    network::NetworkV4,
    pda,
    state::{ConfigNumbers, PoolKind},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{config_instruction, pool, registry, vrf_ids, w};

/// Creates config and VRF ids; the signer becomes foundation and activator. Accounts: VRF ids.
pub fn init_global_config(program: &Pubkey, signer: &Pubkey, args: ConfigNumbers) -> Instruction {
    config_instruction(program, signer, &I::InitGlobalConfig(args), [w(vrf_ids(program))])
}

/// Changes the numbers. Accounts: none.
pub fn set_global_config(program: &Pubkey, signer: &Pubkey, args: ConfigNumbers) -> Instruction {
    config_instruction(program, signer, &I::SetGlobalConfig(args), [])
}

/// Names the activator. Accounts: none.
pub fn set_activator(program: &Pubkey, signer: &Pubkey, key: Pubkey) -> Instruction {
    config_instruction(program, signer, &I::SetActivator { key }, [])
}

/// Adds a foundation key. Accounts: none.
pub fn add_foundation(program: &Pubkey, signer: &Pubkey, key: Pubkey) -> Instruction {
    config_instruction(program, signer, &I::AddFoundation { key }, [])
}

/// Removes a foundation key. Accounts: none.
pub fn remove_foundation(program: &Pubkey, signer: &Pubkey, key: Pubkey) -> Instruction {
    config_instruction(program, signer, &I::RemoveFoundation { key }, [])
}

/// Adds a global block. Accounts: its pool; for a publisher block also the registry of each /24 it touches.
pub fn add_block(program: &Pubkey, signer: &Pubkey, kind: PoolKind, block: NetworkV4) -> Instruction {
    let owner = pda::config(program).0;
    let mut accounts = vec![w(pool(program, kind, &owner, block.network()))];
    if kind == PoolKind::MulticastPublisherBlock {
        let first = u32::from(block.network()) & !0xff;
        // The program refuses publisher blocks shorter than /20.
        let registries = block.address_count().div_ceil(256).min(16) as u32;
        accounts.extend((0..registries).map(|index| super::r(registry(program, (first + 256 * index).into()))));
    }
    config_instruction(program, signer, &I::AddBlock { kind, block }, accounts)
}

/// Removes a global block. Accounts: its pool.
pub fn remove_block(program: &Pubkey, signer: &Pubkey, kind: PoolKind, block: NetworkV4) -> Instruction {
    let pool = pool(program, kind, &pda::config(program).0, block.network());
    config_instruction(program, signer, &I::RemoveBlock { kind, block }, [w(pool)])
}

//! Verbs of the config.

use dz_serviceability::{
    address_registry::{UNITS, base_of, consulted},
    instruction::ServiceabilityInstruction as I,
    lists,
    network::NetworkV4,
    pda,
    state::{ConfigNumbers, PoolKind},
    upgrade,
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{instruction, pool, vrf_ids};

/// Creates the config, as the program's upgrade authority.
pub fn init_global_config(program: &Pubkey, signer: &Pubkey, args: ConfigNumbers) -> Instruction {
    let list = lists::InitGlobalConfig {
        config: pda::config(program).0,
        program_data: upgrade::program_data(program),
        vrf_ids: vrf_ids(program),
    };
    instruction(program, signer, &I::InitGlobalConfig(args), list.metas(program))
}

/// Changes the numbers.
pub fn set_global_config(program: &Pubkey, signer: &Pubkey, args: ConfigNumbers) -> Instruction {
    let list = lists::SetGlobalConfig { config: pda::config(program).0 };
    instruction(program, signer, &I::SetGlobalConfig(args), list.metas(program))
}

/// Names the activator.
pub fn set_activator(program: &Pubkey, signer: &Pubkey, key: Pubkey) -> Instruction {
    let list = lists::SetActivator { config: pda::config(program).0 };
    instruction(program, signer, &I::SetActivator { key }, list.metas(program))
}

/// Adds a foundation key.
pub fn add_foundation(program: &Pubkey, signer: &Pubkey, key: Pubkey) -> Instruction {
    let list = lists::AddFoundation { config: pda::config(program).0 };
    instruction(program, signer, &I::AddFoundation { key }, list.metas(program))
}

/// Removes a foundation key.
pub fn remove_foundation(program: &Pubkey, signer: &Pubkey, key: Pubkey) -> Instruction {
    let list = lists::RemoveFoundation { config: pda::config(program).0 };
    instruction(program, signer, &I::RemoveFoundation { key }, list.metas(program))
}

/// Adds a global block.
pub fn add_block(program: &Pubkey, signer: &Pubkey, kind: PoolKind, block: NetworkV4) -> Instruction {
    let config = pda::config(program).0;
    // The program refuses public blocks shorter than /21.
    let count = block.address_count().div_ceil(UNITS.into()).min(8) as u32;
    let first = base_of(block.network());
    let registries = (0..count).flat_map(|index| {
        let base = first.wrapping_add(UNITS * index);
        consulted(kind).iter().map(move |kind| pda::pool(program, *kind, &config, base).0)
    });
    let list = lists::AddBlock {
        config,
        pool: pool(program, kind, &config, block.network()),
        registries: registries.collect(),
    };
    instruction(program, signer, &I::AddBlock { kind, block }, list.metas(program))
}

//! Verbs of contributors.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, network::NetworkV4, pda, state::PoolKind};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{clients, instruction, pool, registry};

/// Creates a contributor.
pub fn create_contributor(program: &Pubkey, signer: &Pubkey, code: &str, owner: Pubkey) -> Instruction {
    let contributor = pda::contributor(program, code).0;
    let list = lists::CreateContributor { config: pda::config(program).0, contributor };
    instruction(program, signer, &I::CreateContributor { code: code.to_owned(), owner }, list.metas(program))
}

/// Gives it to another owner, and grants it this number of /24s even out of those that are kept.
pub fn update_contributor(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    owner: Pubkey,
    granted_blocks: u8,
) -> Instruction {
    let list = lists::UpdateContributor { config: pda::config(program).0, contributor };
    instruction(program, signer, &I::UpdateContributor { owner, granted_blocks }, list.metas(program))
}

/// Registers a prefix of its own that is divided among its devices.
pub fn add_contributor_prefix(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, net: NetworkV4) -> Instruction {
    let list = lists::AddContributorPrefix {
        config: pda::config(program).0,
        contributor,
        registry: registry(program, net.network()),
        pool: pool(program, PoolKind::ContributorPrefix, &contributor, net.network()),
    };
    instruction(program, signer, &I::AddContributorPrefix { net }, list.metas(program))
}

/// Lets it take nothing more.
pub fn suspend_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey) -> Instruction {
    let list = lists::SuspendContributor { config: pda::config(program).0, contributor };
    instruction(program, signer, &I::SuspendContributor, list.metas(program))
}

/// Lets it add again.
pub fn resume_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey) -> Instruction {
    let list = lists::ResumeContributor { config: pda::config(program).0, contributor };
    instruction(program, signer, &I::ResumeContributor, list.metas(program))
}

/// Starts its end.
pub fn delete_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey) -> Instruction {
    let list = lists::DeleteContributor { config: pda::config(program).0, contributor };
    instruction(program, signer, &I::DeleteContributor, list.metas(program))
}

/// Carves a /24 for it out of this DoubleZero block.
pub fn allocate_contributor_block(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    double_zero: NetworkV4,
    block: NetworkV4,
) -> Instruction {
    let config = pda::config(program).0;
    let list = lists::AllocateContributorBlock {
        config,
        contributor,
        double_zero: pool(program, PoolKind::DoubleZeroBlock, &config, double_zero.network()),
        pool: pool(program, PoolKind::ContributorBlock, &contributor, block.network()),
        registry: registry(program, block.network()),
        clients: clients(program, block.network()),
    };
    instruction(program, signer, &I::AllocateContributorBlock { block }, list.metas(program))
}

//! Verbs of contributors.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, network::NetworkV4, pda, state::PoolKind};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{instruction, pool, registry, w};

/// Creates a contributor. Accounts: contributor.
pub fn create_contributor(program: &Pubkey, signer: &Pubkey, code: &str, owner: Pubkey) -> Instruction {
    let contributor = pda::contributor(program, code).0;
    instruction(program, signer, &I::CreateContributor { code: code.to_owned(), owner }, [w(contributor)])
}

/// Gives it to another owner. Accounts: contributor.
pub fn update_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, owner: Pubkey) -> Instruction {
    instruction(program, signer, &I::UpdateContributor { owner }, [w(contributor)])
}

/// Lets it add nothing more. Accounts: contributor.
pub fn suspend_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey) -> Instruction {
    instruction(program, signer, &I::SuspendContributor, [w(contributor)])
}

/// Lets it add again. Accounts: contributor.
pub fn resume_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey) -> Instruction {
    instruction(program, signer, &I::ResumeContributor, [w(contributor)])
}

/// Starts its end. Accounts: contributor.
pub fn delete_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey) -> Instruction {
    instruction(program, signer, &I::DeleteContributor, [w(contributor)])
}

/// Carves a /24 for it out of the DoubleZero block with this first address. Accounts: contributor, pool of the
/// block, pool of the /24, registry of the /24.
pub fn allocate_contributor_block(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    double_zero: NetworkV4,
    block: NetworkV4,
) -> Instruction {
    let [from, own, registry] = block_accounts(program, &contributor, double_zero, block);
    let data = I::AllocateContributorBlock { block };
    instruction(program, signer, &data, [w(contributor), w(from), w(own), w(registry)])
}

/// Gives a /24 back. Accounts: contributor, pool of the DoubleZero block, pool of the /24, registry of the /24.
pub fn release_contributor_block(
    program: &Pubkey,
    signer: &Pubkey,
    contributor: Pubkey,
    double_zero: NetworkV4,
    block: NetworkV4,
) -> Instruction {
    let [from, own, registry] = block_accounts(program, &contributor, double_zero, block);
    instruction(program, signer, &I::ReleaseContributorBlock { block }, [w(contributor), w(from), w(own), w(registry)])
}

/// Closes it. Accounts: contributor, owner.
pub fn close_contributor(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, owner: Pubkey) -> Instruction {
    instruction(program, signer, &I::CloseContributor, [w(contributor), w(owner)])
}

fn block_accounts(program: &Pubkey, contributor: &Pubkey, double_zero: NetworkV4, block: NetworkV4) -> [Pubkey; 3] {
    [
        pool(program, PoolKind::DoubleZeroBlock, &pda::config(program).0, double_zero.network()),
        pool(program, PoolKind::ContributorBlock, contributor, block.network()),
        registry(program, block.network()),
    ]
}

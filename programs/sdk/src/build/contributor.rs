//! Contributors' blocks and end.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, network::NetworkV4, pda, state::PoolKind};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{contributor, double_zero_block, payer},
};
use crate::{
    instruction::{self as ix, instruction, pool, registry},
    view::NetworkView,
};

/// Carves a /24 for a contributor out of the block that holds it.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn allocate_contributor_block(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    block: NetworkV4,
) -> Result<Instruction> {
    contributor(view, &key)?;
    let double_zero = double_zero_block(view, block)?;
    Ok(ix::contributor::allocate_contributor_block(view.program(), signer, key, double_zero, block))
}

/// Gives a /24 of a contributor that goes away back to the block it is a part of.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn release_contributor_block(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    block: NetworkV4,
) -> Result<Instruction> {
    let program = view.program();
    let config = pda::config(program).0;
    let double_zero = double_zero_block(view, block)?;
    let own = pool(program, PoolKind::ContributorBlock, &key, block.network());
    let registry = registry(program, block.network());
    let list = lists::ReleaseContributorBlock {
        config,
        contributor: key,
        double_zero: pool(program, PoolKind::DoubleZeroBlock, &config, double_zero.network()),
        pool: own,
        pool_payer: payer(view, &own, signer),
        registry,
        registry_payer: payer(view, &registry, signer),
    };
    Ok(instruction(program, signer, &I::ReleaseContributorBlock { block }, list.metas(program)))
}

/// Removes a prefix of its own of which no device has a share.
pub fn remove_contributor_prefix(view: &NetworkView, signer: &Pubkey, key: Pubkey, net: NetworkV4) -> Instruction {
    let program = view.program();
    let own = pool(program, PoolKind::ContributorPrefix, &key, net.network());
    let registry = registry(program, net.network());
    let list = lists::RemoveContributorPrefix {
        config: pda::config(program).0,
        contributor: key,
        pool: own,
        pool_payer: payer(view, &own, signer),
        registry,
        registry_payer: payer(view, &registry, signer),
    };
    instruction(program, signer, &I::RemoveContributorPrefix { net }, list.metas(program))
}

/// Closes a contributor that goes away and has no blocks.
pub fn close_contributor_account(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Instruction {
    let program = view.program();
    let contributor_payer = payer(view, &key, signer);
    let list = lists::CloseContributor { config: pda::config(program).0, contributor: key, contributor_payer };
    instruction(program, signer, &I::CloseContributor, list.metas(program))
}

/// Ends a contributor that goes away: gives each of its /24s back and closes it.
///
/// # Errors
/// When the view lacks an account that it needs.
pub fn close_contributor(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let contributor = contributor(view, &key)?;
    let mut instructions = Vec::new();
    for &block in &contributor.blocks {
        instructions.push(release_contributor_block(view, signer, key, block)?);
    }
    instructions.push(close_contributor_account(view, signer, key));
    Ok(instructions)
}

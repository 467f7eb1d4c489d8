//! Contributors' blocks.

use dz_serviceability::{
    network::NetworkV4,
    state::{AccountType, PoolKind},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{BuildError, Result, config, contributor, missing};
use crate::{instruction as ix, view::NetworkView};

/// Carves a /24 for a contributor out of the block that holds it.
pub fn allocate_contributor_block(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    block: NetworkV4,
) -> Result<Instruction> {
    view.contributor(&key).ok_or_else(|| missing(AccountType::Contributor, &key))?;
    let double_zero = double_zero_block(view, block)?;
    Ok(ix::contributor::allocate_contributor_block(view.program(), signer, key, double_zero, block))
}

/// Ends a contributor that goes away: gives each of its /24s back and closes it.
pub fn close_contributor(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let contributor = contributor(view, &key)?;
    let mut instructions = Vec::new();
    for &block in &contributor.blocks {
        let double_zero = double_zero_block(view, block)?;
        let release = ix::contributor::release_contributor_block;
        instructions.push(release(view.program(), signer, key, double_zero, block));
    }
    instructions.push(ix::contributor::close_contributor(view.program(), signer, key, contributor.owner));
    Ok(instructions)
}

fn double_zero_block(view: &NetworkView, block: NetworkV4) -> Result<NetworkV4> {
    let found = config(view)?.double_zero_blocks.iter().find(|candidate| candidate.contains(&*block));
    found.copied().ok_or_else(|| BuildError::NoPool { kind: PoolKind::DoubleZeroBlock, value: block.to_string() })
}

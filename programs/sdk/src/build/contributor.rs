//! Contributors' blocks.

use dz_serviceability::network::NetworkV4;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Result,
    find::{contributor, double_zero_block},
};
use crate::{instruction as ix, view::NetworkView};

/// Carves a /24 for a contributor out of the block that holds it.
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
pub fn release_contributor_block(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    block: NetworkV4,
) -> Result<Instruction> {
    let double_zero = double_zero_block(view, block)?;
    Ok(ix::contributor::release_contributor_block(view.program(), signer, key, double_zero, block))
}

/// Ends a contributor that goes away: gives each of its /24s back and closes it.
pub fn close_contributor(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let contributor = contributor(view, &key)?;
    let mut instructions = Vec::new();
    for &block in &contributor.blocks {
        instructions.push(release_contributor_block(view, signer, key, block)?);
    }
    instructions.push(ix::contributor::close_contributor(view.program(), signer, key, contributor.owner));
    Ok(instructions)
}

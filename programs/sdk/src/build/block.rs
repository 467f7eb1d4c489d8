//! Global blocks and metros.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, network::NetworkV4, pda, state::PoolKind};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::find::payer;
use crate::{
    instruction::{instruction, pool},
    view::NetworkView,
};

/// Removes a global block that nothing uses.
pub fn remove_block(view: &NetworkView, signer: &Pubkey, kind: PoolKind, block: NetworkV4) -> Instruction {
    let program = view.program();
    let config = pda::config(program).0;
    let pool = pool(program, kind, &config, block.network());
    let list = lists::RemoveBlock { config, pool, pool_payer: payer(view, &pool, signer) };
    instruction(program, signer, &I::RemoveBlock { kind, block }, list.metas(program))
}

/// Closes a metro in which no device stands.
pub fn delete_exchange(view: &NetworkView, signer: &Pubkey, exchange: Pubkey) -> Instruction {
    let program = view.program();
    let exchange_payer = payer(view, &exchange, signer);
    let list = lists::DeleteExchange { config: pda::config(program).0, exchange, exchange_payer };
    instruction(program, signer, &I::DeleteExchange, list.metas(program))
}

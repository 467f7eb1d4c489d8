//! Verbs of metros.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::instruction;

/// Creates a metro at a place in millionths of a degree.
pub fn create_exchange(
    program: &Pubkey,
    signer: &Pubkey,
    code: &str,
    name: &str,
    latitude: i32,
    longitude: i32,
) -> Instruction {
    let data = I::CreateExchange { code: code.to_owned(), name: name.to_owned(), latitude, longitude };
    let list = lists::CreateExchange { config: pda::config(program).0, exchange: pda::exchange(program, code).0 };
    instruction(program, signer, &data, list.metas(program))
}

/// Changes its name and place.
pub fn update_exchange(
    program: &Pubkey,
    signer: &Pubkey,
    exchange: Pubkey,
    name: &str,
    latitude: i32,
    longitude: i32,
) -> Instruction {
    let data = I::UpdateExchange { name: name.to_owned(), latitude, longitude };
    let list = lists::UpdateExchange { config: pda::config(program).0, exchange };
    instruction(program, signer, &data, list.metas(program))
}

/// Lets it take no more devices.
pub fn suspend_exchange(program: &Pubkey, signer: &Pubkey, exchange: Pubkey) -> Instruction {
    let list = lists::SuspendExchange { config: pda::config(program).0, exchange };
    instruction(program, signer, &I::SuspendExchange, list.metas(program))
}

/// Lets it take devices again.
pub fn resume_exchange(program: &Pubkey, signer: &Pubkey, exchange: Pubkey) -> Instruction {
    let list = lists::ResumeExchange { config: pda::config(program).0, exchange };
    instruction(program, signer, &I::ResumeExchange, list.metas(program))
}

//! Verbs of metros.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{instruction, w};

/// Creates a metro at a place in millionths of a degree. Accounts: exchange.
pub fn create_exchange(
    program: &Pubkey,
    signer: &Pubkey,
    code: &str,
    name: &str,
    latitude: i32,
    longitude: i32,
) -> Instruction {
    let data = I::CreateExchange { code: code.to_owned(), name: name.to_owned(), latitude, longitude };
    instruction(program, signer, &data, [w(pda::exchange(program, code).0)])
}

/// Changes its name and place. Accounts: exchange.
pub fn update_exchange(
    program: &Pubkey,
    signer: &Pubkey,
    exchange: Pubkey,
    name: &str,
    latitude: i32,
    longitude: i32,
) -> Instruction {
    let data = I::UpdateExchange { name: name.to_owned(), latitude, longitude };
    instruction(program, signer, &data, [w(exchange)])
}

/// Lets it take no more devices. Accounts: exchange.
pub fn suspend_exchange(program: &Pubkey, signer: &Pubkey, exchange: Pubkey) -> Instruction {
    instruction(program, signer, &I::SuspendExchange, [w(exchange)])
}

/// Lets it take devices again. Accounts: exchange.
pub fn resume_exchange(program: &Pubkey, signer: &Pubkey, exchange: Pubkey) -> Instruction {
    instruction(program, signer, &I::ResumeExchange, [w(exchange)])
}

/// Closes it. Accounts: exchange.
pub fn delete_exchange(program: &Pubkey, signer: &Pubkey, exchange: Pubkey) -> Instruction {
    instruction(program, signer, &I::DeleteExchange, [w(exchange)])
}

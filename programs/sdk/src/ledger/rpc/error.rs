//! Client errors by meaning: the program's refusal, a failed transaction, or no answer.

use dz_serviceability::error::ServiceabilityError;
use solana_instruction::{Instruction, error::InstructionError};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::client_error::Error as ClientError;
use solana_transaction_error::TransactionError;

use crate::ledger::LedgerError;

pub(super) fn unavailable(url: &str, error: &dyn std::error::Error) -> LedgerError {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        source = cause.source();
    }
    LedgerError::Unavailable { url: url.to_owned(), reason }
}

pub(super) fn of_client(url: &str, program: &Pubkey, sent: &[Instruction], error: &ClientError) -> LedgerError {
    match error.get_transaction_error() {
        Some(error) => of_transaction(program, sent, &error),
        None => unavailable(url, error),
    }
}

/// A custom code is the program's own only if the instruction was for it.
pub(super) fn of_transaction(program: &Pubkey, sent: &[Instruction], error: &TransactionError) -> LedgerError {
    if let TransactionError::InstructionError(index, InstructionError::Custom(code)) = error
        && sent.get(usize::from(*index)).is_some_and(|instruction| instruction.program_id == *program)
        && let Some(error) = ServiceabilityError::from_code(*code)
    {
        return LedgerError::Refused { instruction: *index, error };
    }
    LedgerError::Failed(error.to_string())
}

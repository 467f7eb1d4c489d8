//! The entrypoint: from Solana's call to one verb, and from a refusal to its code and its line in the log.

use solana_account_info::AccountInfo;
use solana_program_error::ProgramError;
use solana_pubkey::Pubkey;

use crate::{
    error::Result,
    host::{Host, Solana},
    instruction::ServiceabilityInstruction,
    processor,
};

#[cfg(all(target_os = "solana", not(feature = "no-entrypoint")))]
solana_program_entrypoint::entrypoint!(process_instruction);

/// The program as Solana calls it.
///
/// # Errors
/// [`ServiceabilityError`](crate::error::ServiceabilityError): the program refuses; nothing has changed then.
pub fn process_instruction(
    program: &Pubkey,
    accounts: &[AccountInfo],
    data: &[u8],
) -> std::result::Result<(), ProgramError> {
    process(&Solana, program, accounts, data).map_err(ProgramError::from)
}

/// The program on any host. On an error the caller must put all accounts back as they were, as a bank does.
///
/// # Errors
/// [`ServiceabilityError`](crate::error::ServiceabilityError): the program refuses; nothing has changed then.
pub fn process(host: &dyn Host, program: &Pubkey, accounts: &[AccountInfo], data: &[u8]) -> Result {
    let result = ServiceabilityInstruction::decode(data).and_then(|(life, instruction)| {
        host.log(instruction.as_ref());
        processor::process(host, program, accounts, life, instruction)
    });
    if let Err(error) = &result {
        host.log(&format!("refused ({}): {error}", error.code()));
    }
    result
}

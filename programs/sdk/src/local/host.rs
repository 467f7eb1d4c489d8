//! The program's runtime, implemented directly.

use std::cell::RefCell;

use dz_serviceability::host::Host;
use solana_account_info::AccountInfo;
use solana_program_error::ProgramError;
use solana_pubkey::Pubkey;
use solana_rent::Rent;

pub(super) struct LocalHost {
    pub(super) program: Pubkey,
    pub(super) log: RefCell<Vec<String>>,
}

impl Host for LocalHost {
    fn minimum_balance(&self, bytes: usize) -> u64 {
        Rent::default().minimum_balance(bytes)
    }

    fn transfer<'a>(&self, from: &AccountInfo<'a>, to: &AccountInfo<'a>, lamports: u64) -> Result<(), ProgramError> {
        if !from.is_signer || !from.is_writable || !to.is_writable {
            return Err(ProgramError::MissingRequiredSignature);
        }
        if *from.owner != solana_system_interface::program::ID || from.key == to.key {
            return Err(ProgramError::IllegalOwner);
        }
        let mut from = from.try_borrow_mut_lamports()?;
        let mut to = to.try_borrow_mut_lamports()?;
        **from = from.checked_sub(lamports).ok_or(ProgramError::InsufficientFunds)?;
        **to = to.checked_add(lamports).ok_or(ProgramError::ArithmeticOverflow)?;
        Ok(())
    }

    fn allocate(
        &self,
        account: &AccountInfo,
        bytes: usize,
        owner: &Pubkey,
        seeds: &[&[u8]],
    ) -> Result<(), ProgramError> {
        let address = Pubkey::create_program_address(seeds, &self.program).map_err(|_| ProgramError::InvalidSeeds)?;
        if *account.key != address {
            return Err(ProgramError::InvalidSeeds);
        }
        if *account.owner != solana_system_interface::program::ID || !account.data_is_empty() {
            return Err(ProgramError::AccountAlreadyInitialized);
        }
        account.resize(bytes)?;
        account.assign(owner);
        Ok(())
    }

    fn log(&self, line: &str) {
        self.log.borrow_mut().push(line.to_owned());
    }
}

//! The runtime below the program, as a trait: what a bank does for it, and what an executor without a bank can do.
//!
//! The program itself never calls Solana. So the same rules run as bytecode, natively in a test bank, and directly
//! over accounts in memory, where a model test gets thousands of instructions a second.

use solana_account_info::AccountInfo;
use solana_instruction::Instruction;
use solana_program_error::ProgramError;
use solana_pubkey::Pubkey;
use solana_rent::Rent;
use solana_system_interface::instruction as system;

/// What the program needs from whatever runs it.
pub trait Host {
    /// The least lamports with which an account of this many bytes may live.
    fn minimum_balance(&self, bytes: usize) -> u64;

    /// Moves lamports out of an account of the system program that has signed.
    ///
    /// # Errors
    /// The account has too little, or did not sign.
    fn transfer<'a>(&self, from: &AccountInfo<'a>, to: &AccountInfo<'a>, lamports: u64) -> Result<(), ProgramError>;

    /// Gives an account of the system program this many zero bytes and a new owner; `seeds` sign for its address.
    ///
    /// # Errors
    /// The account is not empty, or the seeds do not give its address.
    fn allocate(
        &self,
        account: &AccountInfo,
        bytes: usize,
        owner: &Pubkey,
        seeds: &[&[u8]],
    ) -> Result<(), ProgramError>;

    /// Both at once, for an account that has nothing at all.
    ///
    /// # Errors
    /// Those of [`Host::transfer`] and [`Host::allocate`].
    fn create<'a>(
        &self,
        payer: &AccountInfo<'a>,
        account: &AccountInfo<'a>,
        lamports: u64,
        bytes: usize,
        owner: &Pubkey,
        seeds: &[&[u8]],
    ) -> Result<(), ProgramError> {
        self.transfer(payer, account, lamports)?;
        self.allocate(account, bytes, owner, seeds)
    }

    /// Writes a line into the transaction's log.
    fn log(&self, line: &str);
}

/// Solana: a validator's, or a test bank's that runs the program natively.
#[derive(Clone, Copy, Debug, Default)]
pub struct Solana;

impl Host for Solana {
    #[cfg(target_os = "solana")]
    fn minimum_balance(&self, bytes: usize) -> u64 {
        use solana_sysvar::Sysvar;
        Rent::get().unwrap_or_default().minimum_balance(bytes)
    }

    // A native program has no way to read a sysvar; test banks are the only ones and have the default rent.
    #[cfg(not(target_os = "solana"))]
    fn minimum_balance(&self, bytes: usize) -> u64 {
        Rent::default().minimum_balance(bytes)
    }

    fn transfer<'a>(&self, from: &AccountInfo<'a>, to: &AccountInfo<'a>, lamports: u64) -> Result<(), ProgramError> {
        invoke(&system::transfer(from.key, to.key, lamports), &[from.clone(), to.clone()], &[])
    }

    fn allocate(
        &self,
        account: &AccountInfo,
        bytes: usize,
        owner: &Pubkey,
        seeds: &[&[u8]],
    ) -> Result<(), ProgramError> {
        let infos = [account.clone()];
        invoke(&system::allocate(account.key, bytes as u64), &infos, &[seeds])?;
        invoke(&system::assign(account.key, owner), &infos, &[seeds])
    }

    // One call instead of three: calls cost units, and a transaction may make only 64 of them.
    fn create<'a>(
        &self,
        payer: &AccountInfo<'a>,
        account: &AccountInfo<'a>,
        lamports: u64,
        bytes: usize,
        owner: &Pubkey,
        seeds: &[&[u8]],
    ) -> Result<(), ProgramError> {
        let create = system::create_account(payer.key, account.key, lamports, bytes as u64, owner);
        invoke(&create, &[payer.clone(), account.clone()], &[seeds])
    }

    fn log(&self, line: &str) {
        #[cfg(target_os = "solana")]
        solana_msg::sol_log(line);
        #[cfg(not(target_os = "solana"))]
        solana_sysvar::program_stubs::sol_log(line);
    }
}

fn invoke(instruction: &Instruction, infos: &[AccountInfo], seeds: &[&[&[u8]]]) -> Result<(), ProgramError> {
    #[cfg(target_os = "solana")]
    return solana_cpi::invoke_signed(instruction, infos, seeds);
    // Off the target solana_cpi does nothing; a test bank answers through the stubs.
    #[cfg(not(target_os = "solana"))]
    solana_sysvar::program_stubs::sol_invoke_signed(instruction, infos, seeds)
}

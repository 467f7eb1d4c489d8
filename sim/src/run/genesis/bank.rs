//! The chain that every scenario starts from: a bank with the program and nothing else.

use dz_sdk::program::{self, upgrade};
use dzsim_ledger::{LedgerConfig, processor};
use solana_account::Account;
use solana_signer::Signer;

use crate::run::keys::{Keys, Owner};

/// The name of the program's shared object, without `.so`: where one is found, it runs instead of the native program.
const OBJECT: &str = "dz_serviceability";

/// Lamports every key of a scenario starts with: enough for anything it can do.
pub const FUNDS: u64 = 1_000_000_000_000;

/// A ledger with the program, which the foundation of this seed may upgrade, and so initialise.
pub fn config(seed: u64) -> LedgerConfig {
    let mut config = LedgerConfig { seed, ..LedgerConfig::default() };
    let authority = Keys::new(seed).of(Owner::Foundation).pubkey();
    let data = upgrade::header(&authority);
    let account = Account { lamports: FUNDS, data, owner: upgrade::LOADER, ..Account::default() };
    config.accounts.push((upgrade::program_data(&program::ID), account));
    config.program(program::ID, OBJECT, processor!(program::entrypoint::process_instruction))
}

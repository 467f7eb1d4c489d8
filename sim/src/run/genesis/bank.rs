//! The chain that every scenario starts from: a bank with the program and nothing else.

use dz_sdk::program;
use dzsim_ledger::{LedgerConfig, processor};

/// The name of the program's shared object, without `.so`: where one is found, it runs instead of the native program.
const OBJECT: &str = "dz_serviceability";

/// Lamports every key of a scenario starts with: enough for anything it can do.
pub const FUNDS: u64 = 1_000_000_000_000;

/// A ledger with the program.
pub fn config(seed: u64) -> LedgerConfig {
    let empty = LedgerConfig { seed, ..LedgerConfig::default() };
    empty.program(program::ID, OBJECT, processor!(program::entrypoint::process_instruction))
}

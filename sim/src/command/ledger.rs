//! `dzsim ledger`: the chain alone.

use dzsim_ledger::{Standalone, standalone};

use crate::{cli::LedgerArgs, exit::Exit, run::chain};

/// How many funded keys it prints.
const KEYS: usize = 3;

/// Runs until Ctrl-C.
pub(super) fn run(args: &LedgerArgs) -> anyhow::Result<Exit> {
    let config = chain::config(args.seed);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(standalone(Standalone { rpc: args.rpc, keys: KEYS, config }, std::io::stdout()))?;
    Ok(Exit::Passed)
}

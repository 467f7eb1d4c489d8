//! A ledger without any program of ours, for clients of other languages: `cargo run -p dzsim-ledger --example ledger`.

use std::{env, io::stdout};

use dzsim_ledger::{LedgerConfig, Standalone, standalone};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let rpc = env::args().nth(1).unwrap_or("127.0.0.1:8899".into()).parse()?;
    standalone(Standalone { rpc, keys: 2, config: LedgerConfig::default() }, stdout().lock()).await?;
    Ok(())
}

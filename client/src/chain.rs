//! Where the chain is, as both programs take it, and who pays.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use clap::Args;
use dz_sdk::{Ledger, ledger::rpc::RpcLedger};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

/// Where the chain is.
#[derive(Args, Clone, Debug)]
pub struct ChainArgs {
    /// Solana JSON-RPC over HTTP
    #[arg(long, env = "DZ_RPC_URL", global = true, value_name = "URL", default_value = "http://127.0.0.1:8899")]
    pub rpc_url: String,
    /// Its subscriptions over WebSocket
    #[arg(long, env = "DZ_WS_URL", global = true, value_name = "URL", default_value = "ws://127.0.0.1:8900")]
    pub ws_url: String,
    /// The serviceability program
    #[arg(long, env = "DZ_PROGRAM_ID", global = true, value_name = "ADDRESS", default_value_t = dz_sdk::program::ID)]
    pub program_id: Pubkey,
}

impl ChainArgs {
    /// Starts following the chain, without waiting for it. Without a key nothing can be paid for, and a new one reads.
    /// Must be called within a Tokio runtime.
    pub fn connect(&self, payer: Option<Keypair>) -> Arc<dyn Ledger> {
        let payer = payer.unwrap_or_else(Keypair::new);
        Arc::new(RpcLedger::connect(&self.rpc_url, &self.ws_url, self.program_id, payer))
    }
}

/// Reads a key as the Solana tools write it.
pub fn read_keypair(path: &Path) -> anyhow::Result<Keypair> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading the key file {}", path.display()))?;
    let bytes: Vec<u8> =
        serde_json::from_str(&text).with_context(|| format!("{} is not a Solana key file", path.display()))?;
    Keypair::try_from(bytes.as_slice()).with_context(|| format!("{} is not a Solana key file", path.display()))
}

//! The chain alone, with the DoubleZero program, for a program that talks to it over RPC.
//!
//! `cargo run -p dzsim --example ledger_alone`

use dz_sdk::{Ledger, instruction::global_config, ledger::rpc::RpcLedger, program};
use dzsim::run::{
    genesis::bank,
    keys::{Keys, Owner},
};

const SEED: u64 = 1;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let foundation = Keys::new(SEED).of(Owner::Foundation);
    let config = bank::config(SEED).fund(solana_signer::Signer::pubkey(&foundation), bank::FUNDS);
    let ledger = dzsim_ledger::start_with(config).await?;
    let client = RpcLedger::connect(ledger.rpc_url(), ledger.websocket_url(), program::ID, foundation);
    let numbers = program::state::ConfigNumbers { endpoints_per_device: 3, ..Default::default() };
    let landed = client.send(&[global_config::init_global_config(&program::ID, &client.payer(), numbers)]).await?;
    let view = client.snapshot().await?;
    let endpoints = view.config().map(|config| config.endpoints_per_device);
    println!("slot {}: {} endpoints per device", landed.slot, endpoints.unwrap_or_default());
    Ok(())
}

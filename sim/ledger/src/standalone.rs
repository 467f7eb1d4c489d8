//! A ledger that runs alone, for programs built against the chain: `dzsim ledger`, and the example of this crate.

use std::{io::Write, net::SocketAddr};

use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::LedgerConfig,
    keys::keypair,
    served::{ServeError, Served},
};

/// Lamports in one SOL.
const SOL: u64 = 1_000_000_000;

/// How a ledger runs alone.
#[derive(Clone, Debug)]
pub struct Standalone {
    /// Where it answers HTTP; the WebSocket is on the next port. Port 0 takes any two free ones.
    pub rpc: SocketAddr,
    /// How many keys it makes and funds with 1,000 SOL each. The same seed makes the same keys.
    pub keys: usize,
    /// What it starts from.
    pub config: LedgerConfig,
}

/// Runs a ledger, prints where it answers and which keys have money, and returns on Ctrl-C (or SIGTERM).
///
/// # Errors
/// The ledger does not start, an address cannot be bound, or nothing can be printed.
pub async fn standalone(setup: Standalone, mut out: impl Write) -> Result<(), ServeError> {
    let Standalone { rpc, keys, mut config } = setup;
    let seed = config.seed;
    let funded: Vec<Keypair> = (0..keys).map(|nth| keypair(config.seed, &format!("funded {nth}"))).collect();
    for key in &funded {
        config = config.fund(key.pubkey(), 1000 * SOL);
    }
    let programs: Vec<_> = config.programs.iter().map(|program| (program.name, program.id)).collect();
    let served = Served::on(rpc, config).await?;

    // Caught from before anybody is told that it is ready.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    writeln!(out, "rpc        {}", served.rpc_url())?;
    writeln!(out, "websocket  {}", served.websocket_url())?;
    for (name, id) in programs {
        writeln!(out, "program    {id}  {name}")?;
    }
    if !funded.is_empty() {
        writeln!(out, "{}", known_keys(seed))?;
    }
    for key in &funded {
        writeln!(out, "key        {}  1000 SOL  {}", key.pubkey(), secret_key(key))?;
    }
    writeln!(out, "ready; Ctrl-C ends it")?;
    out.flush()?;

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// What is said before keys of a seed are printed.
pub fn known_keys(seed: u64) -> String {
    format!("           keys of seed {seed}: everybody can make them, so never give them anything of value")
}

/// As `solana-keygen` writes it.
fn secret_key(key: &Keypair) -> String {
    let bytes: Vec<String> = key.to_bytes().iter().map(u8::to_string).collect();
    format!("[{}]", bytes.join(","))
}

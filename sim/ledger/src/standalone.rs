//! A ledger that runs alone, for whoever builds against the chain: `dzsim ledger`, and the example of this crate.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
};

use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::LedgerConfig,
    faults::ClientName,
    keys::keypair,
    ledger::{Ledger, StartError},
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

/// A ledger that could not run alone.
#[derive(Debug, thiserror::Error)]
pub enum StandaloneError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The port has none after it for the WebSocket.
    #[error("port {0} has no next one for the WebSocket")]
    LastPort(u16),
    /// Nothing can be printed, or the signal cannot be waited for.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Runs a ledger, prints where it answers and which keys have money, and returns when Ctrl-C (or SIGTERM) comes.
pub async fn standalone(setup: Standalone, mut out: impl Write) -> Result<(), StandaloneError> {
    let Standalone { rpc, keys, mut config } = setup;
    let http = bind(rpc)?;
    let http_address = http.local_addr()?;
    let ws = match rpc.port() {
        0 => bind(rpc)?,
        port => {
            let next = port.checked_add(1).ok_or(StandaloneError::LastPort(port))?;
            bind(SocketAddr::new(rpc.ip(), next))?
        }
    };
    let ws_address = ws.local_addr()?;
    let seed = config.seed;
    let funded: Vec<Keypair> = (0..keys).map(|nth| keypair(config.seed, &format!("funded {nth}"))).collect();
    for key in &funded {
        config = config.fund(key.pubkey(), 1000 * SOL);
    }
    let programs: Vec<_> = config.programs.iter().map(|program| (program.name, program.id)).collect();
    let ledger = Ledger::start(config).await?;
    ledger.serve(http, ws, ClientName::new("rpc"))?;

    // Caught from before anybody is told that it is ready.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    writeln!(out, "rpc        http://{http_address}")?;
    writeln!(out, "websocket  ws://{ws_address}")?;
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

fn bind(address: SocketAddr) -> Result<TcpListener, StandaloneError> {
    TcpListener::bind(address).map_err(|source| StandaloneError::Bind { address, source })
}

/// As `solana-keygen` writes it.
fn secret_key(key: &Keypair) -> String {
    let bytes: Vec<String> = key.to_bytes().iter().map(u8::to_string).collect();
    format!("[{}]", bytes.join(","))
}

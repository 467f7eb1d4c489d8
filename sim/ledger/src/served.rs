//! A ledger with two listeners of its own: for tests and programs in Rust, and for [`standalone`](crate::standalone()).

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::{
    config::LedgerConfig,
    faults::ClientName,
    ledger::{Ledger, StartError},
};

/// A ledger that could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The port has none after it for the WebSocket.
    #[error("port {0} has no next one for the WebSocket")]
    LastPort(u16),
    /// The listeners cannot be used.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A ledger that answers ordinary Solana clients; it ends when this is dropped.
#[derive(Clone)]
pub struct Served {
    ledger: Ledger,
    rpc: SocketAddr,
    websocket: SocketAddr,
}

/// Starts an empty ledger on free ports of the loopback.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let ledger = dzsim_ledger::start().await?;
/// assert!(ledger.rpc_url().starts_with("http://127.0.0.1:"));
/// assert_eq!(ledger.ledger().account(&Default::default()).await.unwrap().map(|account| account.executable), Some(true));
/// # Ok::<(), dzsim_ledger::ServeError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// The bank cannot be set up, or no port is free.
pub async fn start() -> Result<Served, ServeError> {
    start_with(LedgerConfig::default()).await
}

/// Starts a ledger with programs, accounts or limits on free ports of the loopback.
///
/// # Errors
/// The bank cannot be set up, or no port is free.
pub async fn start_with(config: LedgerConfig) -> Result<Served, ServeError> {
    Served::on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config).await
}

impl Served {
    /// Serves RPC on this address and the WebSocket on the next port. Port 0 takes any two free ones.
    pub(crate) async fn on(address: SocketAddr, config: LedgerConfig) -> Result<Self, ServeError> {
        let http = bind(address)?;
        let ws = match address.port() {
            0 => bind(address)?,
            port => {
                let next = port.checked_add(1).ok_or(ServeError::LastPort(port))?;
                bind(SocketAddr::new(address.ip(), next))?
            }
        };
        let (rpc, websocket) = (http.local_addr()?, ws.local_addr()?);
        let ledger = Ledger::start(config).await?;
        ledger.serve(http, ws, ClientName::new("rpc"))?;
        Ok(Self { ledger, rpc, websocket })
    }

    /// Where JSON-RPC is served, such as `http://127.0.0.1:8899`.
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.rpc)
    }

    /// Where subscriptions are served, such as `ws://127.0.0.1:8900`.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}", self.websocket)
    }

    /// The ledger from inside.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).map_err(|source| ServeError::Bind { address, source })
}

//! The controller: renders every device on each change of the network and answers devices.
//!
//! It holds no state that matters: what devices run is known again as soon as they report, and everything else comes
//! from the ledger. While the ledger is away the last catalog is served.

pub mod api;
mod catalog;
mod http;
#[allow(clippy::disallowed_methods, reason = "the sockets of the real world")]
mod listen;
mod metrics;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use anyhow::Context;
use dz_sdk::{Ledger, NetworkView, ledger::rpc::RpcArgs};
use dz_service::{LogFormat, http as http_service, log, notify, stop_signal, stream::Accept};
use futures_util::{StreamExt, stream::FuturesUnordered};
use solana_keypair::Keypair;
use tokio::sync::watch;

pub use self::{
    catalog::{Catalog, Entry, FailedLinks, Implausible, Rendered},
    listen::ListenError,
};
use self::{http::Shared, metrics::Metrics};

/// The live view of the chain, as a ledger gives it.
pub type Views = watch::Receiver<Option<Arc<NetworkView>>>;

/// Options of `dz-controller`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where the chain is
    #[command(flatten)]
    pub chain: RpcArgs,
    /// An address to serve on, besides the sockets that the service manager hands over; may be repeated
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<SocketAddr>,
    /// Format of log lines
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// What a controller works with.
pub struct Deps {
    /// The chain.
    pub views: Views,
    /// Where it answers.
    pub listeners: Vec<Box<dyn Accept>>,
    /// Called when it answers.
    pub ready: Box<dyn FnOnce() + Send>,
}

/// Serves until the views end, which they do only when the process ends.
///
/// # Errors
/// A listener takes no connections any more.
pub async fn serve(deps: Deps) -> anyhow::Result<()> {
    let Deps { views, listeners, ready } = deps;
    let metrics = Arc::new(Metrics::new());
    let (catalogs, catalog) = watch::channel(None);
    let shared = Arc::new(Shared::new(catalog, metrics.clone()));
    let failures = shared.failed_links.subscribe();
    let mut servers = FuturesUnordered::new();
    for listener in listeners {
        tracing::info!(address = %listener, "serving");
        servers.push(http_service::serve(listener, http::router(shared.clone())));
    }
    ready();
    tokio::select! {
        biased;
        () = render_all(views, failures, catalogs, &metrics) => Ok(()),
        Some(error) = servers.next() => Err(error).context("serving"),
    }
}

/// Makes a new catalog of each new view and of each change of the broken links.
async fn render_all(
    mut views: Views,
    mut failures: watch::Receiver<FailedLinks>,
    catalogs: watch::Sender<Option<Arc<Catalog>>>,
    metrics: &Metrics,
) {
    loop {
        let view = views.borrow_and_update().clone();
        let failed = failures.borrow_and_update().clone();
        if let Some(view) = view {
            let before = catalogs.borrow().clone();
            match before.as_deref().unwrap_or(&Catalog::default()).next(&view, &failed) {
                Ok(catalog) => {
                    let changed = announce(before.as_deref(), &catalog);
                    metrics.rendered(&catalog, changed);
                    catalogs.send_replace(Some(Arc::new(catalog)));
                }
                Err(error) => {
                    metrics.implausible();
                    tracing::warn!(%error, "view refused, serving the last one");
                }
            }
        }
        let changed = tokio::select! {
            biased;
            changed = views.changed() => changed,
            changed = failures.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Logs what is new in a catalog and returns how many configs are.
fn announce(before: Option<&Catalog>, catalog: &Catalog) -> usize {
    let mut changed = 0;
    for (key, entry) in &catalog.devices {
        let known = before.and_then(|before| before.devices.get(key));
        if let Some(error) = &entry.error
            && known.is_none_or(|known| known.error.as_ref() != Some(error))
        {
            tracing::error!(device = entry.code, slot = catalog.slot, error, "config refused, keeping the last one");
        }
        if let Some(rendered) = &entry.rendered
            && known.and_then(|known| known.rendered.as_ref()) != Some(rendered)
        {
            changed += 1;
            tracing::info!(
                device = entry.code,
                slot = catalog.slot,
                hash = %rendered.hash,
                tunnels = rendered.config.tunnels.len(),
                "config rendered"
            );
        }
    }
    changed
}

/// Runs `dz-controller` until SIGTERM or SIGINT.
///
/// # Errors
/// An address cannot be bound.
pub async fn run(args: Args) -> anyhow::Result<()> {
    log::init("controller", args.log_format);
    let stop = stop_signal().context("watching for signals")?;
    let listeners = listen::listeners(&args.listen)?;
    anyhow::ensure!(!listeners.is_empty(), "nothing to serve on: give --listen or hand sockets over (LISTEN_FDS)");
    // Nothing is ever sent, so any key will do as the payer.
    let ledger = args.chain.connect(Keypair::new());
    let deps = Deps { views: ledger.watch(), listeners: accepting(listeners)?, ready: Box::new(notify::ready) };
    tokio::select! {
        biased;
        () = stop => Ok(()),
        result = serve(deps) => result,
    }
}

/// Registers sockets, which must be non-blocking, with the runtime.
///
/// # Errors
/// One is no listening socket.
pub fn accepting(listeners: Vec<TcpListener>) -> io::Result<Vec<Box<dyn Accept>>> {
    let register = |listener| <dyn Accept>::tcp(tokio::net::TcpListener::from_std(listener)?);
    listeners.into_iter().map(register).collect()
}

//! The process: arguments, reconciler, HTTP and signals.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use dz_policy::Flags;
use dz_sdk::Ledger;
use dz_service::{log, notify, stop_signal, stream::Accept};
use futures_util::{FutureExt, future::BoxFuture};
use solana_keypair::read_keypair_file;
use solana_signer::Signer;
use tokio::{net::TcpListener, sync::watch};
use tracing::info;

use crate::{
    args::Args,
    http::{self, Shared},
    metrics::Metrics,
    reconciler::{Pace, Reconciler},
    status::Status,
};

/// Runs the activator until SIGTERM or SIGINT.
///
/// # Errors
/// The key cannot be read, or an address cannot be bound.
#[allow(clippy::disallowed_methods, reason = "the activator of the real world")]
pub async fn run(args: Args) -> anyhow::Result<()> {
    log::init("activator", args.log_format);
    let keypair = read_keypair_file(&args.keypair)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("key file {}", args.keypair.display()))?;
    let http = match args.listen {
        Some(address) => {
            let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
            Some(<dyn Accept>::tcp(listener)?)
        }
        None => None,
    };
    let stop = stop_signal().context("waiting for signals")?.boxed();
    let key = keypair.pubkey();
    let ledger: Arc<dyn Ledger> = Arc::new(args.chain.connect(keypair));
    info!(%key, rpc = args.chain.rpc_url, program = %args.chain.program_id, "connecting");
    serve(&args, Deps { ledger, http, seed: args.seed.get(), ready: Box::new(notify::ready), stop }).await
}

/// What an activator works with.
pub struct Deps {
    /// The chain, as the activator.
    pub ledger: Arc<dyn Ledger>,
    /// Where it serves its health and metrics, if it does.
    pub http: Option<Box<dyn Accept>>,
    /// Seed of everything that is decided at random.
    pub seed: u64,
    /// Called when it looks at the ledger and serves its health; which of the two it can do, its health says.
    pub ready: Box<dyn FnOnce() + Send>,
    /// Completes when it is to stop.
    pub stop: BoxFuture<'static, ()>,
}

/// Reconciles until it is asked to stop; what is on its way then is waited for.
///
/// # Errors
/// Its health can no longer be served.
pub async fn serve(args: &Args, deps: Deps) -> anyhow::Result<()> {
    let Deps { ledger, http, seed, ready, stop } = deps;
    info!(key = %ledger.payer(), listen = http.as_ref().map(ToString::to_string), policy = args.policy.flags().join(" "), "started");
    let (metrics, status) = (Arc::new(Metrics::default()), Arc::new(Status::default()));
    let shared = Shared { ledger: ledger.clone(), metrics: metrics.clone(), status: status.clone() };
    let server = async {
        match http {
            Some(listener) => dz_service::http::serve(listener, http::router(shared)).await,
            None => std::future::pending().await,
        }
    };
    let (ask_to_stop, asked) = watch::channel(false);
    let stopping = async {
        stop.await;
        info!("stopping");
        // An error says that nobody waits for it any more.
        let _ = ask_to_stop.send(true);
        std::future::pending().await
    };
    let pace = Pace { in_flight: args.policy.in_flight.into(), resync: args.resync, ..Pace::default() };
    let reconciler = Reconciler::new(ledger, args.policy, pace, metrics, status, seed);
    ready();
    tokio::select! {
        biased;
        () = stopping => Ok(()),
        () = reconciler.run(asked) => Ok(()),
        error = server => Err(error).context("serving the health"),
    }
}

//! The process: arguments in, reconciler, HTTP and signals together, out again without a trace.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use dz_sdk::Ledger;
use dz_service::{log, notify, stop_signal};
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
pub async fn run(args: Args) -> anyhow::Result<()> {
    log::init("activator", args.log_format);
    let keypair = read_keypair_file(&args.keypair)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("key file {}", args.keypair.display()))?;
    let listener = match args.listen {
        Some(address) => Some(TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?),
        None => None,
    };
    let stop = stop_signal().context("waiting for signals")?;
    let key = keypair.pubkey();
    let ledger: Arc<dyn Ledger> = Arc::new(args.chain.connect(keypair));
    let listen = listener.as_ref().map(TcpListener::local_addr).transpose()?.map(|address| address.to_string());
    info!(%key, listen, rpc = args.chain.rpc_url, program = %args.chain.program_id, policy = ?args.policy, "started");

    let (metrics, status) = (Arc::new(Metrics::default()), Arc::new(Status::default()));
    let (ask_to_stop, asked) = watch::channel(false);
    let server = listener.map(|listener| {
        let router = http::router(Shared { ledger: ledger.clone(), metrics: metrics.clone(), status: status.clone() });
        let mut asked = asked.clone();
        let shutdown = async move {
            // An error says that whoever could ask has gone.
            let _ = asked.wait_for(|stop| *stop).await;
        };
        tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(shutdown).into_future())
    });
    let pace = Pace { in_flight: args.policy.in_flight.into(), resync: args.resync, ..Pace::default() };
    let reconciler = Reconciler::new(ledger, args.policy, pace, metrics, status, rand::random());
    let mut work = tokio::spawn(reconciler.run(asked, notify::ready));

    let ended = tokio::select! {
        () = stop => None,
        ended = &mut work => Some(ended),
    };
    info!("stopping");
    // An error says that nobody waits for it any more.
    let _ = ask_to_stop.send(true);
    match ended {
        Some(ended) => ended,
        None => work.await,
    }
    .context("the reconciler has failed")?;
    if let Some(server) = server {
        // A client that keeps its connection open does not keep the activator.
        server.abort();
    }
    Ok(())
}

//! The process: arguments, probing, tunnels and socket. When it ends, the tunnels stay.

use std::sync::Arc;

use anyhow::Context;
use dz_net::{
    gre::HelperCommand,
    host::{Host, KernelHost, TunnelMaker, Watched},
};
use dz_sdk::Ledger;
use dz_service::{WallClock, log, notify, stop_signal, stream::Accept, tasks};
use solana_keypair::Keypair;
use tokio::time::Instant;
use tracing::info;

use super::{
    args::Args,
    client_ip,
    enabled::Enabled,
    kernel::Kernel,
    latencies::{self, Asking},
    published::Published,
    reconciler::{Inputs, Reconciler, Telling},
    routes::Routes,
    server::{self, Served},
    sessions::Sessions,
    store::{FileStore, Store},
};
use crate::api::{Latency, Status};

/// Runs `doublezerod` until SIGTERM or SIGINT.
///
/// # Errors
/// The socket cannot be bound, or the host gives no tunnels.
pub async fn run(args: Args) -> anyhow::Result<()> {
    log::init("doublezerod", args.log_format);
    let stop = stop_signal().context("waiting for signals")?;
    let helper = HelperCommand::or_this_program(args.gre_helper.as_ref()).context("path of this program")?;
    let host = KernelHost::open(TunnelMaker { dataplane: args.dataplane, helper })?;
    let deps = Deps {
        host: Arc::new(host),
        // Nothing is ever sent, so any key will do as the payer.
        ledger: Arc::new(args.chain.connect(Keypair::new())),
        listener: server::bind(&args.socket).await.with_context(|| format!("socket {}", args.socket.display()))?,
        store: Arc::new(FileStore::new(&args.state_dir)),
        clock: WallClock::system(),
        seed: args.seed.get(),
        origin: Instant::now(),
        ready: Box::new(notify::ready),
    };
    tokio::select! {
        biased;
        () = stop => {
            info!("stopping; the tunnels stay");
            Ok(())
        }
        result = serve(&args, deps) => result,
    }
}

/// What a daemon works with.
pub struct Deps {
    /// The host whose tunnels it holds.
    pub host: Arc<dyn Host>,
    /// The chain.
    pub ledger: Arc<dyn Ledger>,
    /// Socket for the command line.
    pub listener: Box<dyn Accept>,
    /// Where it is kept whether it may hold tunnels.
    pub store: Arc<dyn Store>,
    /// What time it is, for people to read.
    pub clock: WallClock,
    /// Seed of everything that is decided at random.
    pub seed: u64,
    /// Tunnels to one address whose daemons share this moment are asked whether they carry at the same times.
    pub origin: Instant,
    /// Called when it serves the command line.
    pub ready: Box<dyn FnOnce() + Send>,
}

/// Holds the tunnels of a client as the ledger says, until something that it cannot do without fails.
///
/// # Errors
/// What failed, or what was missing from the start: what is stored makes no sense, the host can make no tunnels, or it
/// has no address on the internet.
pub async fn serve(args: &Args, deps: Deps) -> anyhow::Result<()> {
    let Deps { host, ledger, listener, store, clock, seed, origin, ready } = deps;
    let client_ip = match args.client_ip {
        Some(address) => address,
        None => client_ip::of_default_route(host.as_ref()).await?,
    };
    let enabled = Enabled::load(store)?;
    let changes = host.watch(Watched::EndHost).await.context("watching the host's network configuration")?;
    let kernel = Kernel::open(host.clone()).await?;
    let dataplane = kernel.dataplane();

    let status = Published::new(Status {
        version: 1,
        reconciler_enabled: *enabled.subscribe().borrow(),
        client_ip,
        network: args.network.clone(),
        slot: None,
        settled: false,
        services: Vec::new(),
    });
    let latency = Published::new(Latency { version: 1, ready: false, slot: None, results: Vec::new() });
    let (asking, questions) = Asking::channel();
    let routes = Routes::default();
    let served = Served {
        status: status.clone(),
        latency: latency.clone(),
        asking,
        routes: routes.clone(),
        enabled: enabled.clone(),
        tolerance: args.latency_tolerance.0,
    };
    let inputs = Inputs { views: ledger.watch(), enabled: enabled.subscribe(), host: changes };
    tasks::scope(|tasks| async move {
        let sessions = Sessions::new(host.clone(), tasks, clock.clone(), args.hold_time.0, origin);
        let told = Telling { status, routes };
        let reconciler = Reconciler::new(args, client_ip, kernel, inputs, sessions, told, seed);
        info!(%client_ip, %dataplane, socket = %listener, "started");
        ready();
        let (views, probe, period) = (ledger.watch(), args.probe.config(), args.probe.period);
        tokio::select! {
            biased;
            result = reconciler.run() => result.context("watching the chain and the host"),
            error = server::serve(listener, served) => Err(error).context("serving the socket"),
            () = latencies::keep_measuring(host.as_ref(), clock, views, probe, period, questions, latency) => {
                anyhow::bail!("the subscription to the ledger has ended")
            }
        }
    })
    .await
}

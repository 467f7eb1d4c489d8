//! The process: arguments in, probing, tunnels and socket together. When it ends, the tunnels stay.

use std::{net::Ipv4Addr, sync::Arc};

use anyhow::Context;
use dz_net::{
    gre,
    kernel::{Netlink, Watch},
};
use dz_sdk::Ledger;
use dz_service::{log, notify, stop_signal};
use solana_keypair::Keypair;
use tracing::info;

use super::{
    args::Args,
    client_ip,
    enabled::Enabled,
    hub::Told,
    kernel::Kernel,
    latencies,
    reconciler::{Inputs, Reconciler},
    server::{self, Served},
};
use crate::api::{Latency, Status};

/// Runs `doublezerod` until SIGTERM or SIGINT.
pub async fn run(args: Args) -> anyhow::Result<()> {
    log::init("doublezerod", args.log_format);
    let client_ip = match args.client_ip {
        Some(address) => address,
        None => client_ip::of_default_route()?,
    };
    let stop = stop_signal().context("waiting for signals")?;
    // Nothing is ever sent, so any key will do as the payer.
    let ledger = Arc::new(args.chain.connect(Keypair::new()));
    tokio::select! {
        result = serve(&args, client_ip, ledger) => result,
        () = stop => {
            info!("stopping; the tunnels stay");
            Ok(())
        }
    }
}

/// Holds the tunnels of a client as the ledger says, until something that it cannot do without fails.
pub async fn serve(args: &Args, client_ip: Ipv4Addr, ledger: Arc<dyn Ledger>) -> anyhow::Result<()> {
    let enabled = Enabled::load(&args.state_dir)?;
    let host = Watch::open().context("watching the host's network configuration")?;
    let tunnels = gre::open(args.dataplane, args.helper()?).await?;
    let dataplane = tunnels.dataplane();
    let listener = server::bind(&args.socket).await.with_context(|| format!("socket {}", args.socket.display()))?;

    let status = Told::new(Status {
        version: 1,
        reconciler_enabled: *enabled.subscribe().borrow(),
        client_ip,
        network: args.network.clone(),
        slot: None,
        settled: false,
        services: Vec::new(),
    });
    let latency = Told::new(Latency { version: 1, ready: false, slot: None, results: Vec::new() });
    let served = Served {
        status: status.clone(),
        latency: latency.clone(),
        enabled: enabled.clone(),
        tolerance: args.latency_tolerance.0,
    };
    let inputs = Inputs { views: ledger.watch(), enabled: enabled.subscribe(), host };
    let kernel = Kernel::new(tunnels, Netlink::open()?);
    let reconciler = Reconciler::new(client_ip, kernel, inputs, args.hold_time.0, status);
    info!(%client_ip, %dataplane, socket = %args.socket.display(), "started");
    notify::ready();
    tokio::select! {
        result = reconciler.run() => result.context("watching the chain and the host"),
        result = server::serve(listener, served) => result.context("serving the socket"),
        () = latencies::keep_measuring(ledger.watch(), args.probe.config(), args.probe.period, latency) => {
            anyhow::bail!("the subscription to the ledger has ended")
        }
    }
}

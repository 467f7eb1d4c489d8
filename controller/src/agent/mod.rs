//! The device's side: fetches the device's config and keeps the kernel like it.
//!
//! A new config, a change of the kernel by someone else and a backbone link that falls silent make it act, and all do the
//! same: read what is there, work out the difference, apply it, report. It keeps nothing that matters: what is its own
//! carries marks in the kernel, so it finds it again after a restart. While the controller is away the kernel forwards on,
//! and the last config is still kept up. What it did not make it does not touch.
//!
//! It says that it is ready when it watches the kernel and has a way to make tunnels. It does not wait for a config: a
//! device that is not on chain yet has none, and one whose controller is away serves its users without.

mod desired;
mod diff;
mod fetch;
mod health;
mod kernel;
mod kernel_listing;
mod properties;
mod reconcile;
mod state;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use dz_net::{
    gre::{Dataplane, HelperCommand},
    host::{self, Changes, KernelHost, TunnelMaker, Watched},
    kernel::NetlinkError,
};
use dz_service::{Backoff, LogFormat, LookInterval, SeedArgs, Tasks, log, notify, stop_signal, stream::Connect, tasks};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use solana_pubkey::Pubkey;
use tokio::{
    sync::{Notify, watch as cell},
    time::Instant,
};

pub use self::{
    desired::{Desired, Host, VRF_TABLES, desired},
    diff::{Change, diff},
    fetch::FetchError,
    kernel::KernelError,
    state::{Address, Flow, Forwarding, Ingress, Link, Outer, Route, RouteKey, Rule, State},
};
use self::{fetch::Controller, health::Links, kernel::Kernel, reconcile::reconcile};
use crate::serve::api::{ConfigAnswer, Report, Revision};

/// Options of `dz-agent`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The controller's address
    #[arg(long, env = "DZ_CONTROLLER_URL", default_value = "http://127.0.0.1:7000", value_name = "URL")]
    pub controller: String,
    /// Account address of the device that this machine is
    #[arg(long, env = "DZ_DEVICE", value_name = "PUBKEY")]
    pub device: Pubkey,
    /// Data plane: auto, kernel or userspace
    #[arg(long, env = "DZ_DATAPLANE", default_value_t)]
    pub dataplane: Dataplane,
    /// Command that starts the helper of userspace tunnels: a program and its arguments, separated by spaces [default: this
    /// program with the argument gre-helper]
    #[arg(long, env = "DZ_GRE_HELPER", value_name = "COMMAND")]
    pub gre_helper: Option<HelperCommand>,
    /// Where randomness comes from
    #[command(flatten)]
    pub seed: SeedArgs,
    /// Format of log lines
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// Runs `dz-agent` until SIGTERM or SIGINT. What it has configured stays.
///
/// # Errors
/// The kernel cannot be reached, or the controller's address is not valid.
pub async fn run(args: Args) -> anyhow::Result<()> {
    log::init("agent", args.log_format);
    let stop = stop_signal().context("watching for signals")?;
    let helper = HelperCommand::or_this_program(args.gre_helper.as_ref()).context("path of this program")?;
    let host = KernelHost::open(TunnelMaker { dataplane: args.dataplane, helper })?;
    let deps = Deps {
        host: Arc::new(host),
        controller: Arc::new(fetch::connector(&args.controller)?),
        seed: args.seed.get(),
        ready: Box::new(notify::ready),
    };
    tokio::select! {
        biased;
        () = stop => Ok(()),
        result = serve(&args, deps) => result,
    }
}

/// What an agent works with.
pub struct Deps {
    /// The device's kernel.
    pub host: Arc<dyn host::Host>,
    /// Where the controller answers.
    pub controller: Arc<dyn Connect>,
    /// Seed of everything that is decided at random.
    pub seed: u64,
    /// Called when it watches the kernel and has a way to make tunnels.
    pub ready: Box<dyn FnOnce() + Send>,
}

/// Keeps a device's kernel like its config until the kernel can no longer be watched.
///
/// # Errors
/// The host cannot be watched, or makes no tunnels.
pub async fn serve(args: &Args, deps: Deps) -> anyhow::Result<()> {
    let Deps { host, controller, seed, ready } = deps;
    let controller = Controller::new(&args.controller, args.device, controller);
    let watch = host.watch(Watched::Router).await.context("watching the kernel's network configuration")?;
    let kernel = Kernel::open(host).await?;
    tracing::info!(device = %args.device, dataplane = %kernel.dataplane(), "agent started");
    tasks::scope(|tasks| {
        let agent =
            Agent { controller: Arc::new(controller), kernel, watch, tasks, rng: SmallRng::seed_from_u64(seed) };
        ready();
        agent.keep_up()
    })
    .await
}

struct Agent {
    controller: Arc<Controller>,
    kernel: Kernel,
    watch: Box<dyn Changes>,
    tasks: Tasks,
    rng: SmallRng,
}

/// Why the kernel is looked at.
enum Cause {
    Config,
    Kernel,
    Link,
    Retry,
}

impl Agent {
    async fn keep_up(mut self) -> anyhow::Result<()> {
        let (configs, mut config) = cell::channel(None);
        let (reports, report) = cell::channel(None);
        let forgotten = Arc::new(Notify::new());
        let asking = Backoff::new(Duration::from_millis(20), Duration::from_secs(2), self.rng.random());
        let fetching = keep_fetching(self.controller.clone(), configs, forgotten.clone(), asking);
        let _fetching = self.tasks.spawn(fetching);
        let telling = Backoff::new(Duration::from_millis(20), Duration::from_secs(2), self.rng.random());
        let _reporting = self.tasks.spawn(keep_reporting(self.controller.clone(), report, forgotten, telling));
        let mut look_interval = LookInterval::new(self.rng.random());
        let mut retry = Backoff::new(Duration::from_millis(200), Duration::from_secs(30), self.rng.random());
        let mut pause = Duration::ZERO;
        let mut looked = Instant::now();
        let mut retry_in = None;
        let mut links = Links::new(self.kernel.host(), self.tasks.clone());
        let mut silent = links.silent();
        loop {
            let cause = tokio::select! {
                biased;
                changed = config.changed() => {
                    changed.map(|()| Cause::Config).context("the task that fetches the configuration has ended")?
                }
                changed = self.changed_after(pause) => changed.map(|()| Cause::Kernel).context("watching the kernel")?,
                changed = silent.changed() => {
                    changed.map(|()| Cause::Link).context("the task that watches links has ended")?
                }
                () = after(retry_in) => Cause::Retry,
            };
            let Some(answer) = config.borrow_and_update().clone() else { continue };
            links.follow(&answer.config);
            let since_last = looked.elapsed();
            let mut outcome = self.reconcile(&cause, &answer).await;
            if let Ok(outcome) = &mut outcome {
                outcome.report.failed_links.extend(silent.borrow_and_update().iter().cloned());
            }
            looked = Instant::now();
            let repaired = outcome.as_ref().map_or(0, |outcome| outcome.changes);
            pause = match cause {
                Cause::Kernel => look_interval.after_change(since_last, repaired),
                Cause::Config | Cause::Link | Cause::Retry => look_interval.reset(),
            };
            let clean = matches!(&outcome, Ok(outcome) if outcome.report.failures.is_empty());
            if clean {
                retry.reset();
                retry_in = None;
            } else {
                retry_in = Some(retry.next_wait());
            }
            let report = match outcome {
                Ok(outcome) => outcome.report,
                Err(error) => {
                    tracing::error!(%error, "cannot read the kernel");
                    unread(reports.borrow().as_ref(), &error)
                }
            };
            reports.send_if_modified(|known| {
                let new = known.as_ref() != Some(&report);
                if new {
                    *known = Some(report);
                }
                new
            });
        }
    }

    /// Waits for a change of the kernel, of which none is looked at before this time has passed. What changed does not
    /// matter: everything is read then.
    async fn changed_after(&mut self, pause: Duration) -> Result<(), NetlinkError> {
        tokio::time::sleep(pause).await;
        self.watch.changed().await.map(drop)
    }

    async fn reconcile(&mut self, cause: &Cause, answer: &ConfigAnswer) -> Result<reconcile::Outcome, KernelError> {
        let revision = Revision { revision: answer.revision, hash: answer.hash };
        let outcome = reconcile(&mut self.kernel, &answer.config, revision).await?;
        let (hash, changes) = (revision.hash, outcome.changes);
        match cause {
            _ if !outcome.report.failures.is_empty() => {
                let failures = outcome.report.failures.join("; ");
                tracing::warn!(%hash, changes, failures, "config applied in part");
            }
            Cause::Config => tracing::info!(revision = revision.revision, %hash, changes, "config applied"),
            Cause::Kernel | Cause::Link if changes > 0 => {
                tracing::warn!(%hash, changes, "repaired what another had changed")
            }
            Cause::Retry => tracing::info!(%hash, changes, "config applied at last"),
            Cause::Kernel | Cause::Link => tracing::trace!(%hash, "nothing to repair"),
        }
        Ok(outcome)
    }
}

/// The report when the kernel cannot be read: the last known state, marked as possibly out of date.
fn unread(known: Option<&Report>, error: &KernelError) -> Report {
    Report { failures: vec![format!("cannot read the kernel: {error}")], ..known.cloned().unwrap_or_default() }
}

/// Never, if no time is given.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Fetches config after config, each when it is there.
async fn keep_fetching(
    controller: Arc<Controller>,
    configs: cell::Sender<Option<Arc<ConfigAnswer>>>,
    forgotten: Arc<Notify>,
    mut backoff: Backoff,
) {
    let mut away = false;
    let mut known = None;
    loop {
        match controller.fetch(known).await {
            Ok(answer) => {
                backoff.reset();
                if std::mem::take(&mut away) {
                    tracing::info!("controller is back");
                }
                if let Some(answer) = answer {
                    known = Some(answer.hash);
                    tracing::info!(revision = answer.revision, hash = %answer.hash, "config received");
                    configs.send_replace(Some(Arc::new(answer)));
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut away, true) {
                    tracing::warn!(%error, "no config from the controller, keeping what there is");
                }
                // One that comes back waits for what devices report before it gives them another config. Each failed fetch may
                // be of another controller than the last one: the report that its predecessor got went with it.
                forgotten.notify_one();
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}

/// Delivers each report, and the last one again to a controller that has gone away: it may come back as one that knows
/// nothing.
async fn keep_reporting(
    controller: Arc<Controller>,
    mut reports: cell::Receiver<Option<Report>>,
    forgotten: Arc<Notify>,
    mut backoff: Backoff,
) {
    loop {
        tokio::select! {
            biased;
            changed = reports.changed() => if changed.is_err() { return },
            () = forgotten.notified() => {}
        }
        loop {
            let Some(report) = reports.borrow_and_update().clone() else { break };
            match controller.report(&report).await {
                Ok(()) => {
                    backoff.reset();
                    break;
                }
                Err(error) => {
                    tracing::debug!(%error, "report not delivered");
                    tokio::time::sleep(backoff.next_wait()).await;
                }
            }
        }
    }
}

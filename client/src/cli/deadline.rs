//! Waiting for facts: on the chain or at the daemon, with one deadline for the whole command.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc, time::Duration};

use dz_sdk::{Ledger, NetworkView};
use solana_instruction::Instruction;
use tokio::time::{Instant, sleep, timeout_at};

use super::{backlog::Backlog, error::CommandError, progress::Progress};
use crate::{
    api::{Daemon, Latency, Route, Status},
    daemon::targets::targets,
};

/// What to look at when the activator does not do its part.
pub(super) const ACTIVATOR: &str = "is the activator running?";
/// What to look at when the daemon does not do its part.
const DAEMON: &str = "see the log of doublezerod";
/// What to look at when the ledger does not answer.
const LEDGER: &str = "see whether the ledger makes progress";

/// The deadline of a command, and where it shows what it waits for.
pub struct Waiting<'a> {
    started: Instant,
    limit: Duration,
    patience: Duration,
    progress: &'a dyn Progress,
}

impl<'a> Waiting<'a> {
    /// From now on, this long; an activator that does nothing for `patience` is not waited for any longer.
    pub fn new(limit: Duration, patience: Duration, progress: &'a dyn Progress) -> Self {
        Self { started: Instant::now(), limit, patience, progress }
    }

    /// Asks the daemon for its tunnels as they are now.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_status(&self, daemon: &Daemon) -> Result<Status, CommandError> {
        self.for_answer(async { Ok(daemon.status(None).await?) }).await
    }

    /// Asks the daemon for its newest probe round.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_latencies(&self, daemon: &Daemon) -> Result<Latency, CommandError> {
        self.for_answer(async { Ok(daemon.latency(None).await?) }).await
    }

    /// Asks the daemon for the routes through its tunnels.
    ///
    /// # Errors
    /// The deadline passes, or the daemon does not answer.
    pub async fn for_routes(&self, daemon: &Daemon) -> Result<Vec<Route>, CommandError> {
        self.for_answer(async { Ok(daemon.routes().await?) }).await
    }

    /// Asks the ledger what the payer has, in lamports.
    ///
    /// # Errors
    /// The deadline passes, or the ledger does not answer.
    pub async fn for_balance(&self, ledger: &dyn Ledger) -> Result<u64, CommandError> {
        self.bounded("the ledger to answer", LEDGER, async { Ok(ledger.balance().await?) }).await
    }

    /// Lets the daemon hold tunnels, or makes it hold none, and waits until it acts accordingly.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_enabled(&self, daemon: &Daemon, enabled: bool) -> Result<Status, CommandError> {
        let status = self.for_answer(async { Ok(daemon.enable(enabled).await?) }).await?;
        if status.reconciler_enabled == enabled {
            return Ok(status);
        }
        let step = "doublezerod to act on it";
        self.for_daemon(daemon, step, DAEMON, |status| (status.reconciler_enabled == enabled).then(|| status.clone()))
            .await
    }

    async fn for_answer<T>(&self, asked: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
        self.bounded("doublezerod to answer", DAEMON, asked).await
    }

    /// Reads the whole chain.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_snapshot(&self, ledger: &dyn Ledger) -> Result<Arc<NetworkView>, CommandError> {
        self.bounded("the ledger to answer", LEDGER, async { Ok(ledger.snapshot().await?) }).await
    }

    /// Sends a transaction and waits until it has landed; returns the slot from which on the chain shows its effect.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_landing(&self, ledger: &dyn Ledger, instructions: &[Instruction]) -> Result<u64, CommandError> {
        let step = "the transaction to land";
        self.progress.waiting(step);
        self.bounded(step, &format!("{LEDGER}; the transaction may still land"), async {
            Ok(ledger.send(instructions).await?.slot)
        })
        .await
    }

    /// Waits until `find` finds something in a view of the chain that is no older than the slot `since`.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_chain<T>(
        &self,
        ledger: &dyn Ledger,
        since: u64,
        step: &str,
        hint: &str,
        find: impl FnMut(&NetworkView) -> Option<T>,
    ) -> Result<T, CommandError> {
        self.for_certain(ledger, since, step, hint, find, |_| false).await
    }

    /// The same, but what is doubted has to be in a fresh read as well: where a notification got lost, the live view
    /// lacks for a while what the chain has. Only a read that fails or lags is no judge.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_certain<T>(
        &self,
        ledger: &dyn Ledger,
        since: u64,
        step: &str,
        hint: &str,
        find: impl FnMut(&NetworkView) -> Option<T>,
        doubted: impl Fn(&T) -> bool,
    ) -> Result<T, CommandError> {
        self.progress.waiting(step);
        self.quietly_for_certain(ledger, since, step, hint, find, doubted).await
    }

    /// The same, without a word to the person who waits.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn quietly_for_certain<T>(
        &self,
        ledger: &dyn Ledger,
        since: u64,
        step: &str,
        hint: &str,
        mut find: impl FnMut(&NetworkView) -> Option<T>,
        doubted: impl Fn(&T) -> bool,
    ) -> Result<T, CommandError> {
        let mut views = ledger.watch();
        self.bounded(step, hint, async {
            loop {
                let view: Option<Arc<NetworkView>> = views.borrow_and_update().clone();
                let view = view.filter(|view| view.slot() >= since);
                let mut found = view.as_deref().and_then(&mut find);
                if found.as_ref().is_some_and(&doubted)
                    && let Ok(read) = ledger.snapshot().await
                    && read.slot() >= since
                {
                    found = find(&read);
                }
                if let Some(found) = found {
                    return Ok(found);
                }
                views.changed().await.map_err(|_| anyhow::anyhow!("the subscription to the ledger has ended"))?;
            }
        })
        .await
    }

    /// The same for what the activator does to a user. One that serves nobody of those who wait, for as long as the
    /// patience lasts, is down or cut off: that is said then, not at the deadline.
    ///
    /// # Errors
    /// The deadline or the patience passes, or the ledger does not answer.
    pub async fn for_activator<T>(
        &self,
        ledger: &dyn Ledger,
        since: u64,
        step: &str,
        find: impl FnMut(&NetworkView) -> Option<T>,
        doubted: impl Fn(&T) -> bool,
    ) -> Result<T, CommandError> {
        self.progress.waiting(step);
        tokio::select! {
            biased;
            found = self.quietly_for_certain(ledger, since, step, ACTIVATOR, find, doubted) => found,
            () = self.idle(ledger, since) => {
                Err(CommandError::ActivatorDown { step: step.to_owned(), waited: self.patience })
            }
        }
    }

    /// Waits until the activator has served nobody for as long as the patience lasts, though there was something to do.
    async fn idle(&self, ledger: &dyn Ledger, since: u64) {
        let mut views = ledger.watch();
        let shown = views.wait_for(|view| view.as_ref().is_some_and(|view| view.slot() >= since)).await;
        let mut before = match shown {
            Ok(view) => view.as_deref().map(Backlog::of).unwrap_or_default(),
            // Then there is nothing to be seen, and who reads the views says so.
            Err(_) => return std::future::pending().await,
        };
        loop {
            sleep(self.patience).await;
            // Where the ledger does not answer, nobody can tell.
            let now = ledger.snapshot().await.map(|view| Backlog::of(&view)).unwrap_or_default();
            if before.stands_still(&now) {
                return;
            }
            before = now;
        }
    }

    /// Waits until `find` finds something in what the daemon says of its tunnels.
    ///
    /// # Errors
    /// The deadline passes, or the ledger or the daemon does not answer.
    pub async fn for_daemon<T>(
        &self,
        daemon: &Daemon,
        step: &str,
        hint: &str,
        mut find: impl FnMut(&Status) -> Option<T>,
    ) -> Result<T, CommandError> {
        self.progress.waiting(step);
        self.bounded(step, hint, async {
            let mut after = None;
            loop {
                let status = daemon.status(after).await?;
                if let Some(found) = find(&status) {
                    return Ok(found);
                }
                after = Some(status.version);
            }
        })
        .await
    }

    /// Waits until the daemon has probed every endpoint that the newest view shows, and returns both. The chain goes on
    /// meanwhile: what an endpoint that went would have answered is not waited for.
    ///
    /// # Errors
    /// What `check` says of a view, as soon as it says it; or the deadline.
    pub async fn for_latency(
        &self,
        ledger: &dyn Ledger,
        daemon: &Daemon,
        mut view: Arc<NetworkView>,
        check: impl Fn(&NetworkView) -> Result<(), CommandError>,
    ) -> Result<(Arc<NetworkView>, Latency), CommandError> {
        let step = "the latency of every endpoint";
        self.progress.waiting(step);
        let mut views = ledger.watch();
        self.bounded(step, "see `doublezero latency` and the log of doublezerod", async {
            let mut after = None;
            loop {
                let newest = views.borrow_and_update().clone();
                if let Some(newest) = newest.filter(|newest| newest.slot() > view.slot()) {
                    check(&newest)?;
                    view = newest;
                }
                let latency = tokio::select! {
                    biased;
                    latency = daemon.latency(after) => latency?,
                    changed = views.changed() => {
                        changed.map_err(|_| anyhow::anyhow!("the subscription to the ledger has ended"))?;
                        continue;
                    }
                };
                let wanted: BTreeSet<(String, Ipv4Addr)> =
                    targets(&view).keys().map(|(device, address)| (device.to_string(), *address)).collect();
                let measured = latency.results.iter().map(|result| (result.device_pk.clone(), result.device_ip));
                // Not by slot: the two ask different sources, and one may lag behind in all but the endpoints.
                if wanted.is_subset(&measured.collect()) {
                    return Ok((view, latency));
                }
                after = Some(latency.version);
            }
        })
        .await
    }

    async fn bounded<T>(
        &self,
        step: &str,
        hint: &str,
        wait: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        // Beyond what a clock can show there is no deadline.
        let Some(deadline) = self.started.checked_add(self.limit) else { return wait.await };
        timeout_at(deadline, wait).await.unwrap_or_else(|_| {
            Err(CommandError::TimedOut { step: step.to_owned(), waited: self.limit, hint: hint.to_owned() })
        })
    }
}

//! The loop: look at the chain, plan, send, look again.
//!
//! It is level-triggered: what it does follows from the view alone, so a lost, repeated or reordered notification, a
//! crash at any point, or a second activator cost at most a refused transaction. What it remembers (refusals, waits)
//! only keeps it from being a nuisance.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, time::Duration};

use dz_policy::ActivatorPolicy;
use dz_sdk::{Ledger, NetworkView};
use dz_service::Backoff;
use solana_pubkey::Pubkey;
use tokio::{
    sync::watch,
    time::{self, Instant},
};
use tracing::{debug, warn};

pub use crate::sender::Pass;
use crate::{
    metrics::Metrics,
    plan::{Plan, plan},
    sender::Sender,
    status::Status,
};

/// A transaction that is under way when the activator is asked to stop gets so long to land.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// The most consecutive reads that may be out of date.
const LAGGING_READS: u32 = 8;

type Views = watch::Receiver<Option<Arc<NetworkView>>>;

/// How much the reconciler does at a time, and how long it waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The most transactions on their way at a time.
    pub in_flight: NonZeroUsize,
    /// Without news for so long the chain is read again, in case news got lost.
    pub resync: Duration,
    /// The live view is given so long to show what has landed before the chain is read instead.
    pub settle: Duration,
    /// The first wait while the ledger does not answer.
    pub retry_first: Duration,
    /// The longest such wait.
    pub retry_longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            in_flight: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            resync: Duration::from_secs(10),
            settle: Duration::from_secs(2),
            retry_first: Duration::from_millis(50),
            retry_longest: Duration::from_secs(2),
        }
    }
}

/// One activator.
pub struct Reconciler {
    ledger: Arc<dyn Ledger>,
    policy: ActivatorPolicy,
    pace: Pace,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    sender: Sender,
    /// The highest slot that was planned from or landed in: a read of an earlier one is out of date.
    reached: u64,
    /// Waits after refusals: another activator may be at work.
    after_conflict: Backoff,
    /// Waits while the ledger is away.
    after_outage: Backoff,
    /// What was said about what cannot be done, so that it is said once.
    said: BTreeMap<Pubkey, String>,
}

impl Reconciler {
    /// An activator on this ledger. The seed makes its waits its own.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        policy: ActivatorPolicy,
        pace: Pace,
        metrics: Arc<Metrics>,
        status: Arc<Status>,
        seed: u64,
    ) -> Self {
        let after_conflict = Backoff::new(Duration::from_millis(5), Duration::from_millis(500), seed);
        let after_outage = Backoff::new(pace.retry_first, pace.retry_longest, seed.wrapping_add(1));
        let sender = Sender::new(ledger.clone(), metrics.clone(), status.clone(), pace.in_flight);
        let (reached, said) = (0, BTreeMap::new());
        Self { ledger, policy, pace, metrics, status, sender, reached, after_conflict, after_outage, said }
    }

    /// Reconciles until it is asked to stop.
    pub async fn run(mut self, stop: watch::Receiver<bool>) {
        let out_of_patience = async {
            asked(&stop).await;
            time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            biased;
            () = self.work(&stop) => {}
            () = out_of_patience => {}
        }
    }

    async fn work(&mut self, stop: &watch::Receiver<bool>) {
        // Before the first read, so that nothing that changes after it goes unheard.
        let mut views = self.ledger.watch();
        let Some(mut view) = unless_asked(stop, self.read()).await else { return };
        loop {
            let pass = self.pass(&view, stop).await;
            match unless_asked(stop, self.next_view(pass, &view, &mut views)).await {
                Some(next) => view = next,
                None => return,
            }
        }
    }

    /// Plans from this view and sends what is planned.
    pub async fn pass(&mut self, view: &NetworkView, stop: &watch::Receiver<bool>) -> Pass {
        let started = Instant::now();
        let plan = plan(view, &self.policy);
        self.metrics.planned(view, &plan, started.elapsed());
        self.status.planned(view.slot());
        self.say_conditions(&plan);
        let pass = self.sender.apply(view, &plan, stop).await;
        if pass != Pass::Unavailable {
            self.after_outage.reset();
        }
        self.reached = self.reached.max(view.slot());
        match pass {
            Pass::Quiet => self.status.idle(),
            Pass::Landed { slot } => self.reached = self.reached.max(slot),
            Pass::Stale | Pass::Unavailable | Pass::Stopped => {}
        }
        pass
    }

    fn say_conditions(&mut self, plan: &Plan) {
        for condition in &plan.conditions {
            if self.said.get(&condition.subject.key) != Some(&condition.reason) {
                let kind: &'static str = condition.kind.into();
                warn!(condition = kind, subject = %condition.subject, account = %condition.subject.key,
                    reason = condition.reason, "waiting");
            }
        }
        self.said = plan.conditions.iter().map(|condition| (condition.subject.key, condition.reason.clone())).collect();
    }

    /// The view to plan from after this pass; waits until there is a reason to plan.
    async fn next_view(&mut self, pass: Pass, planned: &Arc<NetworkView>, views: &mut Views) -> Arc<NetworkView> {
        let seen = match pass {
            Pass::Quiet | Pass::Stopped => {
                self.after_conflict.reset();
                let reached = self.reached;
                let news = |view: &Arc<NetworkView>| view.slot() >= reached && !Arc::ptr_eq(view, planned);
                time::timeout(self.pace.resync, view_that(views, news)).await.ok()
            }
            Pass::Landed { slot } => {
                self.after_conflict.reset();
                let landed = |view: &Arc<NetworkView>| view.slot() >= slot;
                time::timeout(self.pace.settle, view_that(views, landed)).await.ok()
            }
            Pass::Stale => {
                time::sleep(self.after_conflict.next_wait()).await;
                None
            }
            Pass::Unavailable => {
                time::sleep(self.after_outage.next_wait()).await;
                None
            }
        };
        match seen {
            Some(view) => view,
            None => self.read().await,
        }
    }

    /// Reads the chain, however long it takes until that works. A replica that lags behind what this activator has
    /// seen already is given a few chances to catch up; after those, it is the chain that has started over.
    async fn read(&mut self) -> Arc<NetworkView> {
        let mut chances = LAGGING_READS;
        loop {
            match self.ledger.snapshot().await {
                Ok(view) if view.slot() < self.reached && chances > 0 => {
                    chances -= 1;
                    debug!(slot = view.slot(), reached = self.reached, "the read is out of date");
                    time::sleep(self.after_conflict.next_wait()).await;
                }
                Ok(view) => {
                    self.status.ledger_works();
                    self.reached = view.slot();
                    return view;
                }
                Err(error) => {
                    self.metrics.ledger_failed();
                    self.status.ledger_failed(&error.to_string());
                    warn!(%error, "the chain cannot be read");
                    time::sleep(self.after_outage.next_wait()).await;
                }
            }
        }
    }
}

/// Completes when a stop is requested, or its sender is gone.
async fn asked(stop: &watch::Receiver<bool>) {
    // Both outcomes mean the same.
    let _ = stop.clone().wait_for(|stop| *stop).await;
}

/// What the work comes to, or nothing when it is asked to stop before.
async fn unless_asked<T>(stop: &watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = asked(stop) => None,
    }
}

/// The first live view of which this is true.
async fn view_that(views: &mut Views, is: impl Fn(&Arc<NetworkView>) -> bool) -> Arc<NetworkView> {
    match views.wait_for(|view| view.as_ref().is_some_and(&is)).await.map(|view| view.clone()) {
        Ok(Some(view)) => view,
        // The subscription has ended: whoever waits has a deadline and reads for itself.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use dz_sdk::{
        local::{LocalBank, LocalLedger},
        program::ID,
    };

    use super::*;

    #[tokio::test]
    async fn a_chain_that_starts_over_is_followed() {
        let key = Pubkey::new_from_array([1; 32]);
        let ledger = LocalLedger::new(LocalBank::new(ID, &key), key).unwrap();
        let (policy, pace) = (ActivatorPolicy::default(), Pace::default());
        let mut reconciler = Reconciler::new(Arc::new(ledger), policy, pace, Arc::default(), Arc::default(), 7);
        reconciler.reached = 1000;
        let view = reconciler.read().await;
        assert_eq!((view.slot(), reconciler.reached), (1, 1));
    }
}

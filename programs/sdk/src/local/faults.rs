//! What may go wrong between one node and the chain in memory, set from outside while both run. Every chance is drawn
//! from a seed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::sync::watch;

use super::LocalLedger;

/// One million: a chance in parts per million is out of this many.
const MILLION: u32 = 1_000_000;

/// What goes wrong between one node and the chain. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalFaults {
    /// Every answer comes so much later.
    pub answer_delay: Duration,
    /// Every notification comes so much later, in order.
    pub notification_delay: Duration,
    /// Share of notifications that are lost, ppm.
    pub lost_notifications_ppm: u32,
    /// Share of notifications that come twice, ppm.
    pub duplicated_notifications_ppm: u32,
    /// Reads are answered as of so many slots ago, as far as the bank remembers.
    pub read_lag: u64,
    /// Share of sent transactions that are refused and not executed, ppm.
    pub refused_sends_ppm: u32,
    /// Nothing works: connections end, new ones too.
    pub outage: bool,
}

impl LocalFaults {
    /// Whether notifications come as they are and at once.
    pub(super) fn spare_notifications(&self) -> bool {
        let Self { notification_delay, lost_notifications_ppm, duplicated_notifications_ppm, .. } = self;
        notification_delay.is_zero() && *lost_notifications_ppm == 0 && *duplicated_notifications_ppm == 0
    }
}

/// One node's way to the chain; all clients in the node share its faults. Clones are the same way.
#[derive(Clone)]
pub struct LocalNode(Arc<Inner>);

struct Inner {
    chain: LocalLedger,
    latency: Duration,
    faults: watch::Sender<LocalFaults>,
    dice: Mutex<SmallRng>,
}

impl LocalNode {
    /// A node whose requests take `latency` each, answer included.
    pub fn new(chain: LocalLedger, latency: Duration, seed: u64) -> Self {
        let dice = Mutex::new(SmallRng::seed_from_u64(seed));
        Self(Arc::new(Inner { chain, latency, faults: watch::Sender::default(), dice }))
    }

    /// Changes some of the faults and leaves the others.
    pub fn update(&self, change: impl FnOnce(&mut LocalFaults)) {
        self.0.faults.send_modify(change);
    }

    /// The faults as they are.
    pub fn faults(&self) -> LocalFaults {
        *self.0.faults.borrow()
    }

    /// Returns when nothing works any more.
    pub(super) async fn outage(&self) {
        let mut faults = self.0.faults.subscribe();
        // The sender lives as long as `self`.
        let _ = faults.wait_for(|faults| faults.outage).await;
    }

    /// The chain itself.
    pub(super) fn chain(&self) -> &LocalLedger {
        &self.0.chain
    }

    /// How long a request takes from its sending to its answer.
    pub(super) fn round_trip(&self) -> Duration {
        self.0.latency + self.faults().answer_delay
    }

    /// Draws once.
    pub(super) fn draw(&self, chance_ppm: u32) -> bool {
        chance_ppm > 0 && self.dice().random_ratio(chance_ppm.min(MILLION), MILLION)
    }

    /// A seed for a client of the node.
    pub(super) fn seed(&self) -> u64 {
        self.dice().random()
    }

    fn dice(&self) -> std::sync::MutexGuard<'_, SmallRng> {
        self.0.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

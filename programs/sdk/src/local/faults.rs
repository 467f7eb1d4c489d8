//! Faults between one node and the chain in memory, set from outside while both run. Every chance is drawn
//! from a seed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::sync::watch;

use super::LocalLedger;
use crate::ledger::Ledger;

/// One million: a chance in parts per million is out of this many.
const MILLION: u32 = 1_000_000;

/// What goes wrong between one node and the chain. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalFaults {
    /// Every answer comes so much later.
    pub answer_delay: Duration,
    /// And up to so much later again, drawn for each.
    pub answer_jitter: Duration,
    /// Every notification comes so much later, in order.
    pub notification_delay: Duration,
    /// Share of notifications that are lost, ppm.
    pub lost_notifications_ppm: u32,
    /// Share of notifications that come twice, ppm.
    pub duplicated_notifications_ppm: u32,
    /// Reads are answered as of this number of slots ago, as far as the bank remembers.
    pub read_lag: u64,
    /// Share of sent transactions that are refused and not executed, ppm.
    pub refused_sends_ppm: u32,
    /// Drop probability of sent transactions, ppm. The sender of a dropped one times out.
    pub lost_sends_ppm: u32,
    /// Share of sent transactions whose connection breaks at once and which land later, between two others, ppm.
    pub late_sends_ppm: u32,
    /// Share of sent transactions that land and whose connection breaks before the answer, ppm.
    pub lost_answers_ppm: u32,
    /// Nothing works: connections end, new ones too.
    pub outage: bool,
}

impl LocalFaults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        answer_delay: Duration::ZERO,
        answer_jitter: Duration::ZERO,
        notification_delay: Duration::ZERO,
        lost_notifications_ppm: 0,
        duplicated_notifications_ppm: 0,
        read_lag: 0,
        refused_sends_ppm: 0,
        lost_sends_ppm: 0,
        late_sends_ppm: 0,
        lost_answers_ppm: 0,
        outage: false,
    };

    /// Whether notifications come as they are and at once.
    pub(super) fn spare_notifications(&self) -> bool {
        let Self { notification_delay, lost_notifications_ppm, duplicated_notifications_ppm, .. } = self;
        notification_delay.is_zero() && *lost_notifications_ppm == 0 && *duplicated_notifications_ppm == 0
    }
}

/// How often a node's faults have made a difference, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalHits {
    /// Answers and notifications that came late.
    pub delayed: u64,
    /// Notifications that did not come.
    pub lost: u64,
    /// Notifications that came twice.
    pub duplicated: u64,
    /// Reads that were answered from an older slot.
    pub stale: u64,
    /// Sends that were refused.
    pub refused: u64,
    /// Requests and connections that an outage ended.
    pub cut: u64,
}

/// One node's way to the chain; all clients in the node share its faults. Clones are the same way.
#[derive(Clone)]
pub struct LocalNode(Arc<Inner>);

struct Inner {
    chain: LocalLedger,
    latency: Duration,
    faults: watch::Sender<LocalFaults>,
    dice: Mutex<SmallRng>,
    /// Transactions that were given up for lost and are still on their way, with who pays.
    late: Mutex<Vec<(Pubkey, Vec<Instruction>)>>,
    hits: Mutex<LocalHits>,
}

/// The chance that a late transaction arrives before one that is sent after it, ppm.
const ARRIVES_PPM: u32 = 300_000;

impl LocalNode {
    /// A node whose requests take `latency` each, answer included.
    pub fn new(chain: LocalLedger, latency: Duration, seed: u64) -> Self {
        let dice = Mutex::new(SmallRng::seed_from_u64(seed));
        let (faults, late, hits) = (watch::Sender::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { chain, latency, faults, dice, late, hits }))
    }

    /// Changes some of the faults and leaves the others.
    pub fn update(&self, change: impl FnOnce(&mut LocalFaults)) {
        self.0.faults.send_modify(change);
    }

    /// The faults as they are.
    pub fn faults(&self) -> LocalFaults {
        *self.0.faults.borrow()
    }

    /// How often they have made a difference.
    pub fn hits(&self) -> LocalHits {
        *self.0.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts that a fault has made a difference.
    pub(super) fn count(&self, change: impl FnOnce(&mut LocalHits)) {
        change(&mut self.0.hits.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns when nothing works any more.
    pub(super) async fn outage(&self) {
        let mut faults = self.0.faults.subscribe();
        // The sender lives as long as `self`.
        let _ = faults.wait_for(|faults| faults.outage).await;
        self.count(|hits| hits.cut += 1);
    }

    /// The chain itself.
    pub(super) fn chain(&self) -> &LocalLedger {
        &self.0.chain
    }

    /// How long a request takes from its sending to its answer.
    pub(super) fn round_trip(&self) -> Duration {
        let LocalFaults { answer_delay, answer_jitter, .. } = self.faults();
        let jitter = if answer_jitter.is_zero() { 0.0 } else { self.dice().random() };
        self.0.latency + answer_delay + answer_jitter.mul_f64(jitter)
    }

    /// Keeps a transaction on its way.
    pub(super) fn delay(&self, payer: Pubkey, instructions: &[Instruction]) {
        self.late().push((payer, instructions.to_vec()));
    }

    /// Lets some of the late transactions arrive.
    pub(super) async fn some_arrive(&self) {
        self.arrive(ARRIVES_PPM).await;
    }

    /// Lets every late transaction arrive that is still on its way. By now most of them are refused.
    pub async fn all_arrive(&self) {
        self.arrive(MILLION).await;
    }

    async fn arrive(&self, chance_ppm: u32) {
        let arriving: Vec<_> = self.late().extract_if(.., |_| self.draw(chance_ppm)).collect();
        for (payer, instructions) in arriving {
            // Nobody waits for the answer any more.
            let _ = self.chain().as_payer(payer).send(&instructions).await;
        }
    }

    fn late(&self) -> MutexGuard<'_, Vec<(Pubkey, Vec<Instruction>)>> {
        self.0.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws once.
    pub(super) fn draw(&self, chance_ppm: u32) -> bool {
        chance_ppm > 0 && self.dice().random_ratio(chance_ppm.min(MILLION), MILLION)
    }

    /// A seed for a client of the node.
    pub(super) fn seed(&self) -> u64 {
        self.dice().random()
    }

    fn dice(&self) -> MutexGuard<'_, SmallRng> {
        self.0.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

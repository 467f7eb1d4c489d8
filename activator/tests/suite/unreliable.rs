//! A way to the ledger on which things go wrong: processes stop, answers and notifications get lost, arrive twice or
//! too late, and everything takes its turn in another order each time. All of it follows from a seed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use dz_sdk::{
    Ledger, LedgerError, NetworkView, ledger::Landed, local::LocalLedger, program::error::ServiceabilityError,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::{sync::watch, task};

use crate::operator::ACTIVATOR;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Nothing is heard any more, ever, after this many transactions have landed: the process has been killed.
    pub(crate) dies_after: Option<u64>,
    /// The chance that a transaction lands and its answer is lost.
    pub(crate) lost_answers: f64,
    /// The chance that a transaction is lost on the way.
    pub(crate) lost_sends: f64,
    /// The chance that a transaction seems lost and lands later, between two others.
    pub(crate) late: f64,
    /// Transactions of more instructions than this fail outside the program.
    pub(crate) fails_above: Option<usize>,
    /// So many first attempts to send or read fail.
    pub(crate) outage: u64,
    /// The chance that a notification is lost; the same that an older one is repeated.
    pub(crate) bad_news: f64,
    /// The chance that a read gives an older state, as a replica that lags does.
    pub(crate) stale_reads: f64,
    /// Others get their turn between any two steps.
    pub(crate) yields: bool,
    /// The program refuses everything with this, whatever it is.
    pub(crate) refuses: Option<ServiceabilityError>,
}

/// One activator's way to a chain in memory.
pub(crate) struct Unreliable {
    chain: LocalLedger,
    faults: Faults,
    rng: Mutex<SmallRng>,
    news: watch::Sender<Option<Arc<NetworkView>>>,
    old: Mutex<Vec<Arc<NetworkView>>>,
    /// Transactions that were given up for lost and are still on their way.
    stray: Mutex<Vec<Vec<Instruction>>>,
    /// Transactions that landed by this way.
    pub(crate) landed: AtomicU64,
    /// Attempts to send.
    pub(crate) sends: AtomicU64,
    /// Attempts to read.
    pub(crate) reads: AtomicU64,
    in_flight: AtomicU64,
    /// The most transactions that were on their way at a time.
    pub(crate) most_in_flight: AtomicU64,
}

impl Unreliable {
    pub(crate) fn new(chain: &LocalLedger, faults: Faults, seed: u64) -> Arc<Self> {
        let chain = chain.as_payer(ACTIVATOR);
        let news = watch::Sender::new(chain.watch().borrow().clone());
        let rng = Mutex::new(SmallRng::seed_from_u64(seed));
        let (old, stray, landed, sends, reads, in_flight, most_in_flight) = Default::default();
        Arc::new(Self { chain, faults, rng, news, old, stray, landed, sends, reads, in_flight, most_in_flight })
    }

    /// Lets transactions arrive that were given up for lost, each with this chance. By now most of them are refused.
    pub(crate) async fn strays_arrive(&self, chance: f64) {
        let arriving: Vec<_> = self.stray.lock().unwrap().extract_if(.., |_| self.chance(chance)).collect();
        for instructions in arriving {
            // Nobody waits for the answer any more.
            let _ = self.chain.send(&instructions).await;
        }
    }

    /// Passes notifications on, or fails to, for as long as it is polled.
    pub(crate) async fn carry_news(self: Arc<Self>) {
        let mut real = self.chain.watch();
        while real.changed().await.is_ok() {
            let Some(view) = real.borrow_and_update().clone() else { continue };
            if !self.chance(self.faults.bad_news) {
                self.news.send_replace(Some(view.clone()));
            }
            self.old.lock().unwrap().push(view);
            if self.chance(self.faults.bad_news) {
                self.news.send_replace(self.any_old_view());
            }
        }
    }

    fn any_old_view(&self) -> Option<Arc<NetworkView>> {
        let old = self.old.lock().unwrap();
        let index = self.rng.lock().unwrap().random_range(0..old.len().max(1));
        old.get(index).cloned()
    }

    fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.rng.lock().unwrap().random_bool(probability)
    }

    async fn give_way(&self) {
        let turns = if self.faults.yields { self.rng.lock().unwrap().random_range(0..4) } else { 0 };
        for _ in 0..turns {
            task::yield_now().await;
        }
    }

    fn unavailable(reason: &str) -> LedgerError {
        LedgerError::Unavailable { url: "memory".to_owned(), reason: reason.to_owned() }
    }

    fn in_outage(&self) -> bool {
        self.sends.load(Ordering::Relaxed) + self.reads.load(Ordering::Relaxed) <= self.faults.outage
    }
}

#[async_trait]
impl Ledger for Unreliable {
    fn payer(&self) -> Pubkey {
        self.chain.payer()
    }

    fn program(&self) -> Pubkey {
        self.chain.program()
    }

    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.give_way().await;
        if self.in_outage() {
            return Err(Self::unavailable("outage"));
        }
        if self.chance(self.faults.stale_reads)
            && let Some(old) = self.any_old_view()
        {
            return Ok(old);
        }
        self.chain.snapshot().await
    }

    async fn send(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::Relaxed);
        self.sends.fetch_add(1, Ordering::Relaxed);
        let answer = self.send_on(instructions).await;
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        self.news.subscribe()
    }
}

impl Unreliable {
    async fn send_on(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        self.give_way().await;
        let dead = || self.faults.dies_after.is_some_and(|limit| self.landed.load(Ordering::Relaxed) >= limit);
        if dead() {
            return std::future::pending().await;
        }
        if self.in_outage() {
            return Err(Self::unavailable("outage"));
        }
        if let Some(error) = self.faults.refuses {
            return Err(LedgerError::Refused { instruction: 0, error });
        }
        if self.faults.fails_above.is_some_and(|most| instructions.len() > most) {
            return Err(LedgerError::Failed("too much at once".to_owned()));
        }
        self.strays_arrive(0.3).await;
        if self.chance(self.faults.lost_sends) {
            return Err(Self::unavailable("the transaction was lost"));
        }
        if self.chance(self.faults.late) {
            self.stray.lock().unwrap().push(instructions.to_vec());
            return Err(Self::unavailable("the transaction is late"));
        }
        let landed = self.chain.send(instructions).await?;
        self.landed.fetch_add(1, Ordering::Relaxed);
        if dead() {
            return std::future::pending().await;
        }
        if self.chance(self.faults.lost_answers) {
            return Err(Self::unavailable("the answer was lost"));
        }
        self.give_way().await;
        Ok(landed)
    }
}

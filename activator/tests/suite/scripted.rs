//! A chain that does by the script what no network does: refuses everything, fails what is too long, or never answers
//! again; and counts what it is asked. What networks do is in [`dz_sdk::local::LocalFaults`].

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

/// What it does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Script {
    /// Nothing is heard any more, ever, after this many transactions have landed: the process has been killed.
    pub(crate) dies_after: Option<u64>,
    /// Transactions of more instructions than this fail outside the program.
    pub(crate) fails_above: Option<usize>,
    /// The program refuses everything with this, whatever it is.
    pub(crate) refuses: Option<ServiceabilityError>,
    /// Others get their turn between any two steps.
    pub(crate) yields: bool,
}

/// One activator's way to a chain in memory.
pub(crate) struct Scripted {
    chain: Arc<dyn Ledger>,
    script: Script,
    rng: Mutex<SmallRng>,
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

impl Scripted {
    pub(crate) fn new(chain: &LocalLedger, script: Script, seed: u64) -> Arc<Self> {
        Self::over(Arc::new(chain.as_payer(ACTIVATOR)), script, seed)
    }

    /// The script over another way to the chain.
    pub(crate) fn over(chain: Arc<dyn Ledger>, script: Script, seed: u64) -> Arc<Self> {
        let rng = Mutex::new(SmallRng::seed_from_u64(seed));
        let (landed, sends, reads, in_flight, most_in_flight) = Default::default();
        Arc::new(Self { chain, script, rng, landed, sends, reads, in_flight, most_in_flight })
    }

    async fn give_way(&self) {
        let turns = if self.script.yields { self.rng.lock().unwrap().random_range(0..4) } else { 0 };
        for _ in 0..turns {
            task::yield_now().await;
        }
    }

    async fn send_on(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        self.give_way().await;
        let dead = || self.script.dies_after.is_some_and(|limit| self.landed.load(Ordering::Relaxed) >= limit);
        if dead() {
            return std::future::pending().await;
        }
        if let Some(error) = self.script.refuses {
            return Err(LedgerError::Refused { instruction: 0, error });
        }
        if self.script.fails_above.is_some_and(|most| instructions.len() > most) {
            return Err(LedgerError::Failed("too much at once".to_owned()));
        }
        let landed = self.chain.send(instructions).await?;
        self.landed.fetch_add(1, Ordering::Relaxed);
        if dead() {
            return std::future::pending().await;
        }
        self.give_way().await;
        Ok(landed)
    }
}

#[async_trait]
impl Ledger for Scripted {
    fn payer(&self) -> Pubkey {
        self.chain.payer()
    }

    fn program(&self) -> Pubkey {
        self.chain.program()
    }

    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.give_way().await;
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

    async fn balance(&self) -> Result<u64, LedgerError> {
        self.chain.balance().await
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        self.chain.watch()
    }
}

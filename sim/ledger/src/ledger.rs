//! The handle of a running ledger.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use solana_account::Account;
use solana_clock::Slot;
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{broadcast, mpsc, oneshot, watch},
};

use crate::{
    call_limits::CallLimits,
    config::LedgerConfig,
    faults::{ClientName, FaultHandle},
    keys::faucet,
    leader::read,
    replica::Landed,
    server,
    shared::{Request, SendError, Shared, own_chain},
    verified_transaction::VerifiedTransaction,
};

/// Slots that a subscriber in this process may fall behind before it misses some.
const LANDED_BACKLOG: usize = 4096;

/// Requests that may wait for the chain's thread; a further one waits for a place.
const REQUEST_BACKLOG: usize = 1024;

/// Answers of any length (all accounts of a program) that are made at once; more would take memory without end.
const LONG_ANSWERS: usize = 4;

/// What the faucet holds at genesis, in lamports.
const FAUCET_LAMPORTS: u64 = 1 << 60;

/// A ledger that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Threads or the runtime could not be made.
    #[error("cannot start the ledger: {0}")]
    Io(#[from] std::io::Error),
    /// The bank could not be set up; the text says why.
    #[error("cannot set up the bank: {0}")]
    Bank(String),
    /// The bank's thread ended; what it panicked with is on the error output.
    #[error("the bank's thread ended while it set the bank up")]
    Ended,
}

/// A running ledger. Clones are handles of the same one; it ends when the last is dropped.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Shared>,
    death: watch::Receiver<Option<String>>,
    parts: Option<Parts>,
}

/// What ends with the ledger; there until it is dropped.
struct Parts {
    /// Serves the listeners.
    runtime: Runtime,
    /// The chain's thread ends when it is gone.
    requests: mpsc::Sender<Request>,
    chain: thread::JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(Parts { runtime, requests, chain }) = self.parts.take() else { return };
        // A runtime must not be waited for from inside another one.
        runtime.shutdown_background();
        drop(requests);
        // The thread ends with the request it is at and removes the bank's folders, which takes milliseconds.
        // Its panics are caught, and are its death.
        let _ = chain.join();
    }
}

impl Ledger {
    /// Sets the bank up on a thread of its own and returns when it answers.
    ///
    /// # Errors
    /// [`StartError`]: threads or the bank cannot be set up.
    pub async fn start(mut config: LedgerConfig) -> Result<Self, StartError> {
        let faucet = faucet(config.seed);
        config = config.fund(faucet.pubkey(), FAUCET_LAMPORTS);
        let (requests, inbox) = mpsc::channel(REQUEST_BACKLOG);
        let (landed, _) = broadcast::channel(LANDED_BACKLOG);
        let (started, start) = oneshot::channel();
        let (seed, limits, announce_closed) = (config.seed, config.limits, config.announce_closed);
        let origins = config.origins.clone();
        let (died, death) = watch::channel(None);
        let chain = thread::Builder::new().name("ledger-bank".into()).stack_size(16 << 20).spawn({
            let landed = landed.clone();
            move || {
                let end = catch_unwind(AssertUnwindSafe(|| own_chain(&config, started, inbox, &landed)));
                let why = match end {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => format!("the bank does not answer: {error}"),
                    Err(panic) => format!("the bank's thread panicked: {}", panic_text(&*panic)),
                };
                tracing::error!("{why}");
                died.send_replace(Some(why));
            }
        })?;
        let (replica, slot) = start.await.map_err(|_| StartError::Ended)?.map_err(StartError::Bank)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("ledger-rpc")
            .enable_all()
            .build()?;
        let clients = Mutex::new(BTreeMap::new());
        let core = Arc::new(Shared {
            replica,
            landed,
            slot,
            limits,
            announce_closed,
            faucet,
            origins,
            latest_ns: AtomicU64::new(0),
            call_limits: CallLimits::new(LONG_ANSWERS, limits.answer_bytes),
            seed,
            requests: requests.downgrade(),
            clients,
        });
        Ok(Self { inner: Arc::new(Inner { core, death, parts: Some(Parts { runtime, requests, chain }) }) })
    }

    /// Answers on two listeners, for the client of this name: JSON-RPC over HTTP on one, over
    /// WebSocket on the other. May be called any number of times, also with a name that is served already.
    ///
    /// # Errors
    /// A listener cannot be used by the runtime.
    pub fn serve(
        &self,
        http: std::net::TcpListener,
        ws: std::net::TcpListener,
        client: ClientName,
    ) -> std::io::Result<()> {
        let Some(Parts { runtime, .. }) = &self.inner.parts else { return Ok(()) };
        let client = self.inner.core.client(&client);
        let _inside = runtime.enter();
        for listener in [http, ws] {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            runtime.spawn(server::accept(Arc::clone(&self.inner.core), Arc::clone(&client), listener));
        }
        Ok(())
    }

    /// The faults of a client, whether it is served already or not.
    pub fn faults(&self, client: &ClientName) -> FaultHandle {
        FaultHandle::new(self.inner.core.client(client))
    }

    /// The latest slot: the chain's revision.
    pub fn latest_slot(&self) -> Slot {
        *self.inner.core.slot.borrow()
    }

    /// The latest slot as it changes.
    pub fn slots(&self) -> watch::Receiver<Slot> {
        self.inner.core.slot.clone()
    }

    /// Returns why the bank's thread has died, once it has. Nothing is executed any more then.
    pub async fn death(&self) -> String {
        let mut death = self.inner.death.clone();
        match death.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            // It has ended with the ledger.
            _ => std::future::pending().await,
        }
    }

    /// Lets the bank's thread panic: what follows from that is tested by it.
    pub async fn kill_bank(&self) {
        if let Some(Parts { requests, .. }) = &self.inner.parts {
            // It may be dead already.
            let _ = requests.send(Request::Die).await;
        }
    }

    /// A blockhash that transactions may name.
    pub fn latest_blockhash(&self) -> Hash {
        let replica = read(&self.inner.core.replica);
        replica.history.blockhash_of(replica.history.latest())
    }

    /// An account; `None` if there is none.
    ///
    /// # Errors
    /// [`SendError`]: the transaction is refused, or the ledger has ended.
    pub async fn account(&self, address: &Pubkey) -> Result<Option<Account>, SendError> {
        let accounts = self.inner.core.accounts(&[*address], self.latest_slot()).await?;
        Ok(accounts.into_iter().flatten().next().map(|account| account.as_ref().clone()))
    }

    /// All accounts of a program and the slot they are of, from the index.
    pub fn program_accounts(&self, program: &Pubkey) -> (Slot, BTreeMap<Pubkey, Arc<Account>>) {
        let replica = read(&self.inner.core.replica);
        let slot = replica.history.latest();
        (slot, replica.accounts.owned_by(program, slot))
    }

    /// An account read from the bank itself, past the index. The two differ in nothing but the clock, which the bank
    /// has set for the next slot when a transaction was refused or simulated.
    ///
    /// # Errors
    /// [`SendError`]: the transaction is refused, or the ledger has ended.
    pub async fn bank_account(&self, address: &Pubkey) -> Result<Option<Account>, SendError> {
        let found = self.inner.core.ask(|reply| Request::Read { addresses: vec![*address], reply }).await?;
        Ok(found.into_iter().flatten().next().map(|account| account.as_ref().clone()))
    }

    /// Sends a transaction and returns when it has landed. One that fails in the preflight is refused and does not
    /// land.
    ///
    /// # Errors
    /// [`SendError`]: the transaction is refused, or the ledger has ended.
    pub async fn send(&self, transaction: VersionedTransaction) -> Result<Arc<Landed>, SendError> {
        self.inner.core.send(VerifiedTransaction::new(transaction)?, true).await
    }

    /// Sends a transaction without a preflight: one that fails lands as a failed one, which pays its fee.
    ///
    /// # Errors
    /// [`SendError`]: the transaction is refused, or the ledger has ended.
    pub async fn send_without_preflight(&self, transaction: VersionedTransaction) -> Result<Arc<Landed>, SendError> {
        self.inner.core.send(VerifiedTransaction::new(transaction)?, false).await
    }

    /// Loses the last slots, as a chain does that goes on from an earlier one. What their transactions did is undone, and
    /// only the parent of the next slot shows it: that comes at once and holds a transfer of the faucet.
    /// Returns false, and nothing has changed, if not that many slots with transactions are remembered.
    ///
    /// # Errors
    /// [`SendError`]: the ledger has ended.
    pub async fn lose_slots(&self, slots: u64) -> Result<bool, SendError> {
        self.inner.core.ask(|reply| Request::Lose { slots, reply }).await
    }

    /// Everything that lands from now on, in order. A receiver that falls 4096 slots behind learns how many it
    /// missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Landed>> {
        self.inner.core.landed.subscribe()
    }

    /// The longest that an answer over HTTP took since this was last asked, without the delay of a fault.
    pub fn take_lateness(&self) -> Duration {
        Duration::from_nanos(self.inner.core.latest_ns.swap(0, Ordering::Relaxed))
    }

    /// The key that airdrops are paid from.
    pub fn faucet(&self) -> &Keypair {
        &self.inner.core.faucet
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

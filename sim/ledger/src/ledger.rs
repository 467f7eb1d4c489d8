//! The handle of a running ledger, and the thread that owns its chain.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread,
};

use solana_account::Account;
use solana_clock::Slot;
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_sha256_hasher::hashv;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::{Semaphore, broadcast, mpsc, oneshot, watch},
};

use crate::{
    accounts::Lookup,
    bank::BankError,
    chain::{Chain, Preview, Refusal, read},
    config::{LedgerConfig, Limits},
    faults::{Client, ClientName, FaultHandle},
    replica::{Landed, Replica},
    server,
};

/// Slots that a subscriber in this process may fall behind before it misses some.
const LANDED_BACKLOG: usize = 4096;

/// Requests that may wait for the chain's thread; a further one waits for a place.
const REQUEST_BACKLOG: usize = 1024;

/// Answers of any length (all accounts of a program) that are written at once; more would take memory without end.
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

/// A transaction that was not executed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SendError {
    /// It is not well formed, or one of its signatures is not that of its key.
    #[error("transaction refused: {0}")]
    Invalid(TransactionError),
    /// The bank, or its preflight, refused it; nothing has changed.
    #[error("transaction refused: {0}")]
    Refused(Box<Refusal>),
    /// The ledger has ended.
    #[error("the ledger has ended")]
    Ended,
}

pub(crate) enum Request {
    Send { transaction: VersionedTransaction, preflight: bool, reply: oneshot::Sender<Result<Arc<Landed>, Refusal>> },
    Simulate { transaction: VersionedTransaction, fresh: bool, watched: Vec<Pubkey>, reply: oneshot::Sender<Preview> },
    Read { addresses: Vec<Pubkey>, reply: oneshot::Sender<Vec<Option<Arc<Account>>>> },
    Fee { message: VersionedMessage, reply: oneshot::Sender<Option<u64>> },
}

/// What every server of the ledger shares.
pub(crate) struct Core {
    pub(crate) replica: Arc<RwLock<Replica>>,
    pub(crate) landed: broadcast::Sender<Arc<Landed>>,
    pub(crate) slot: watch::Receiver<Slot>,
    pub(crate) limits: Limits,
    pub(crate) announce_closed: bool,
    pub(crate) faucet: Keypair,
    /// How many answers of any length may be written at once.
    pub(crate) long_answers: Semaphore,
    seed: u64,
    /// Weak, so that connections that are still open do not keep the chain's thread.
    requests: mpsc::WeakSender<Request>,
    clients: Mutex<BTreeMap<ClientName, Arc<Client>>>,
}

/// A running ledger. Clones are handles of the same one; it ends when the last is dropped.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
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
        if chain.join().is_err() {
            tracing::error!("the bank's thread had panicked");
        }
    }
}

impl Ledger {
    /// Sets the bank up on a thread of its own and returns when it answers.
    pub async fn start(mut config: LedgerConfig) -> Result<Self, StartError> {
        let faucet = faucet(config.seed);
        config = config.fund(solana_signer::Signer::pubkey(&faucet), FAUCET_LAMPORTS);
        let (requests, inbox) = mpsc::channel(REQUEST_BACKLOG);
        let (landed, _) = broadcast::channel(LANDED_BACKLOG);
        let (started, start) = oneshot::channel();
        let (seed, limits, announce_closed) = (config.seed, config.limits, config.announce_closed);
        let chain = thread::Builder::new().name("ledger-bank".into()).stack_size(16 << 20).spawn({
            let landed = landed.clone();
            move || own_chain(&config, started, inbox, &landed)
        })?;
        let (replica, slot) = start.await.map_err(|_| StartError::Ended)?.map_err(StartError::Bank)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("ledger-rpc")
            .enable_all()
            .build()?;
        let clients = Mutex::new(BTreeMap::new());
        let core = Arc::new(Core {
            replica,
            landed,
            slot,
            limits,
            announce_closed,
            faucet,
            long_answers: Semaphore::new(LONG_ANSWERS),
            seed,
            requests: requests.downgrade(),
            clients,
        });
        Ok(Self { inner: Arc::new(Inner { core, parts: Some(Parts { runtime, requests, chain }) }) })
    }

    /// Answers on two listeners, for the client that is told apart by this name: JSON-RPC over HTTP on one, over
    /// WebSocket on the other. May be called any number of times, also with a name that is served already.
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

    /// A blockhash that transactions may name.
    pub fn latest_blockhash(&self) -> Hash {
        let replica = read(&self.inner.core.replica);
        replica.history.blockhash_of(replica.history.latest())
    }

    /// An account; `None` if there is none.
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

    /// An account as the bank itself has it, past the index. The two differ in nothing but the clock, which the bank
    /// has set for the next slot when a transaction was refused or simulated.
    pub async fn bank_account(&self, address: &Pubkey) -> Result<Option<Account>, SendError> {
        let found = self.inner.core.ask(|reply| Request::Read { addresses: vec![*address], reply }).await?;
        Ok(found.into_iter().flatten().next().map(|account| account.as_ref().clone()))
    }

    /// Sends a transaction and returns when it has landed. One that fails in the preflight is refused and does not
    /// land.
    pub async fn send(&self, transaction: VersionedTransaction) -> Result<Arc<Landed>, SendError> {
        self.inner.core.send(transaction, true).await
    }

    /// Sends a transaction without a preflight: one that fails lands as a failed one, which pays its fee.
    pub async fn send_without_preflight(&self, transaction: VersionedTransaction) -> Result<Arc<Landed>, SendError> {
        self.inner.core.send(transaction, false).await
    }

    /// Everything that lands from now on, in order. A receiver that falls 4096 slots behind is told how many it
    /// missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Landed>> {
        self.inner.core.landed.subscribe()
    }

    /// The key that airdrops are paid from.
    pub fn faucet(&self) -> &Keypair {
        &self.inner.core.faucet
    }
}

impl Core {
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn client(&self, name: &ClientName) -> Arc<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(name.clone()).or_insert_with(|| Arc::new(Client::new(name.clone(), self.seed)));
        Arc::clone(client)
    }

    /// Checks and executes a transaction.
    pub(crate) async fn send(
        &self,
        transaction: VersionedTransaction,
        preflight: bool,
    ) -> Result<Arc<Landed>, SendError> {
        verify(&transaction).map_err(SendError::Invalid)?;
        self.ask(|reply| Request::Send { transaction, preflight, reply })
            .await?
            .map_err(|refusal| SendError::Refused(Box::new(refusal)))
    }

    pub(crate) async fn simulate(
        &self,
        transaction: VersionedTransaction,
        fresh: bool,
        watched: Vec<Pubkey>,
    ) -> Result<Preview, SendError> {
        self.ask(|reply| Request::Simulate { transaction, fresh, watched, reply }).await
    }

    pub(crate) async fn fee(&self, message: VersionedMessage) -> Result<Option<u64>, SendError> {
        self.ask(|reply| Request::Fee { message, reply }).await
    }

    /// Accounts as a slot left them, in the order asked for.
    pub(crate) async fn accounts(
        &self,
        addresses: &[Pubkey],
        at: Slot,
    ) -> Result<Vec<Option<Arc<Account>>>, SendError> {
        let unwritten: Vec<Pubkey> = {
            let replica = read(&self.replica);
            let unwritten = |address: &&Pubkey| matches!(replica.accounts.get(address, at), Lookup::Unwritten);
            addresses.iter().filter(unwritten).copied().collect()
        };
        let mut genesis = BTreeMap::new();
        if !unwritten.is_empty() {
            let found = self.ask(|reply| Request::Read { addresses: unwritten.clone(), reply }).await?;
            genesis.extend(unwritten.into_iter().zip(found));
        }
        // A transaction may have written one of them meanwhile; the index then knows what it was before.
        let replica = read(&self.replica);
        let account = |address: &Pubkey| match replica.accounts.get(address, at) {
            Lookup::Known(account) => account,
            Lookup::Unwritten => genesis.get(address).cloned().flatten(),
        };
        Ok(addresses.iter().map(account).collect())
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, SendError> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.upgrade().ok_or(SendError::Ended)?;
        requests.send(request(reply)).await.map_err(|_| SendError::Ended)?;
        drop(requests);
        answer.await.map_err(|_| SendError::Ended)
    }
}

/// Checks what the bank takes for granted: form and signatures.
pub(crate) fn verify(transaction: &VersionedTransaction) -> Result<(), TransactionError> {
    transaction.sanitize().map_err(|_| TransactionError::SanitizeFailure)?;
    match transaction.verify_with_results().into_iter().all(|valid| valid) {
        true => Ok(()),
        false => Err(TransactionError::SignatureFailure),
    }
}

/// The key that the seed gives to a name: a funded key of a ledger that runs alone, for example.
pub fn keypair(seed: u64, name: &str) -> Keypair {
    let secret = hashv(&[b"dzsim key", &seed.to_le_bytes(), name.as_bytes()]);
    Keypair::new_from_array(secret.to_bytes())
}

fn faucet(seed: u64) -> Keypair {
    keypair(seed, "faucet")
}

type Started = (Arc<RwLock<Replica>>, watch::Receiver<Slot>);

/// The chain's thread: one request after the other, until no handle is left.
fn own_chain(
    config: &LedgerConfig,
    started: oneshot::Sender<Result<Started, String>>,
    mut inbox: mpsc::Receiver<Request>,
    landed: &broadcast::Sender<Arc<Landed>>,
) {
    let mut chain = match Chain::start(config) {
        Ok(chain) => chain,
        Err(error) => {
            let _ = started.send(Err(error.to_string()));
            return;
        }
    };
    let (slot, slots) = watch::channel(read(chain.replica()).history.latest());
    if started.send(Ok((Arc::clone(chain.replica()), slots))).is_err() {
        return;
    }
    while let Some(request) = inbox.blocking_recv() {
        if let Err(error) = answer(&mut chain, request, &slot, landed) {
            tracing::error!(%error, "the bank does not answer; the ledger ends");
            return;
        }
    }
}

/// Answers a request. Whoever asked may have gone; that is no error.
fn answer(
    chain: &mut Chain,
    request: Request,
    slot: &watch::Sender<Slot>,
    landed: &broadcast::Sender<Arc<Landed>>,
) -> Result<(), BankError> {
    match request {
        Request::Send { transaction, preflight, reply } => {
            let result = chain.send(transaction, preflight)?;
            if let Ok(new) = &result {
                slot.send_replace(new.slot);
                let _ = landed.send(Arc::clone(new));
            }
            let _ = reply.send(result);
        }
        Request::Simulate { transaction, fresh, watched, reply } => {
            let _ = reply.send(chain.simulate(&transaction, fresh, &watched)?);
        }
        Request::Read { addresses, reply } => {
            let _ = reply.send(chain.read(&addresses)?);
        }
        Request::Fee { message, reply } => {
            let _ = reply.send(chain.fee(&message)?);
        }
    }
    Ok(())
}

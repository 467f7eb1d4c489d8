//! State shared by the handles of a ledger and its servers, and the thread that owns the chain.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicU64},
};

use solana_account::Account;
use solana_clock::Slot;
use solana_keypair::Keypair;
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    accounts::Lookup,
    bank::BankError,
    call_limits::CallLimits,
    config::{LedgerConfig, Limits, Origins},
    faults::{Client, ClientName},
    leader::{Leader, Preview, Refusal, read},
    replica::{Landed, Replica},
    verified_transaction::VerifiedTransaction,
};

/// A transaction that was not executed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SendError {
    /// It is not well formed, or one of its signatures is not that of its key.
    #[error("transaction refused: {0}")]
    Invalid(#[from] TransactionError),
    /// The bank, or its preflight, refused it; nothing has changed.
    #[error("transaction refused: {0}")]
    Refused(Box<Refusal>),
    /// The ledger has ended.
    #[error("the ledger has ended")]
    Ended,
}

pub(crate) enum Request {
    Send {
        transaction: VerifiedTransaction,
        preflight: bool,
        reply: oneshot::Sender<Result<Arc<Landed>, Refusal>>,
    },
    Simulate {
        transaction: VersionedTransaction,
        fresh: bool,
        watched: Vec<Pubkey>,
        reply: oneshot::Sender<Preview>,
    },
    Read {
        addresses: Vec<Pubkey>,
        reply: oneshot::Sender<Vec<Option<Arc<Account>>>>,
    },
    Fee {
        message: VersionedMessage,
        reply: oneshot::Sender<Option<u64>>,
    },
    Lose {
        slots: u64,
        reply: oneshot::Sender<bool>,
    },
    /// The thread panics.
    Die,
}

/// What every server of the ledger shares.
pub(crate) struct Shared {
    pub(crate) replica: Arc<RwLock<Replica>>,
    pub(crate) landed: broadcast::Sender<Arc<Landed>>,
    pub(crate) slot: watch::Receiver<Slot>,
    pub(crate) limits: Limits,
    pub(crate) announce_closed: bool,
    pub(crate) faucet: Keypair,
    pub(crate) origins: Origins,
    /// The longest that an answer took, without the delay of a fault, in nanoseconds.
    pub(crate) latest_ns: AtomicU64,
    pub(crate) call_limits: CallLimits,
    pub(crate) seed: u64,
    /// Weak, so that connections that are still open do not keep the chain's thread.
    pub(crate) requests: mpsc::WeakSender<Request>,
    pub(crate) clients: Mutex<BTreeMap<ClientName, Arc<Client>>>,
}

impl Shared {
    pub(crate) fn client(&self, name: &ClientName) -> Arc<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(name.clone()).or_insert_with(|| Arc::new(Client::new(name.clone(), self.seed)));
        Arc::clone(client)
    }

    /// Executes a transaction.
    pub(crate) async fn send(
        &self,
        transaction: VerifiedTransaction,
        preflight: bool,
    ) -> Result<Arc<Landed>, SendError> {
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

    pub(crate) async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, SendError> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.upgrade().ok_or(SendError::Ended)?;
        requests.send(request(reply)).await.map_err(|_| SendError::Ended)?;
        drop(requests);
        answer.await.map_err(|_| SendError::Ended)
    }
}

/// What the thread has when it is ready: what it writes and the slot it is at.
pub(crate) type Started = (Arc<RwLock<Replica>>, watch::Receiver<Slot>);

/// The chain's thread: one request after the other, until no handle is left.
///
/// # Errors
/// The bank does not answer any more.
pub(crate) fn own_chain(
    config: &LedgerConfig,
    started: oneshot::Sender<Result<Started, String>>,
    mut inbox: mpsc::Receiver<Request>,
    landed: &broadcast::Sender<Arc<Landed>>,
) -> Result<(), BankError> {
    let mut chain = match Leader::start(config) {
        Ok(chain) => chain,
        Err(error) => {
            let _ = started.send(Err(error.to_string()));
            return Ok(());
        }
    };
    let (slot, slots) = watch::channel(read(chain.replica()).history.latest());
    if started.send(Ok((Arc::clone(chain.replica()), slots))).is_err() {
        return Ok(());
    }
    while let Some(request) = inbox.blocking_recv() {
        answer(&mut chain, request, &slot, landed)?;
    }
    Ok(())
}

/// Answers a request. The caller may be gone; that is no error.
fn answer(
    chain: &mut Leader,
    request: Request,
    slot: &watch::Sender<Slot>,
    landed: &broadcast::Sender<Arc<Landed>>,
) -> Result<(), BankError> {
    let tell = |new: &Arc<Landed>| {
        slot.send_replace(new.slot);
        let _ = landed.send(Arc::clone(new));
    };
    match request {
        Request::Send { transaction, preflight, reply } => {
            let result = chain.send(transaction, preflight)?;
            if let Ok(new) = &result {
                tell(new);
            }
            let _ = reply.send(result);
        }
        Request::Lose { slots, reply } => {
            let new = chain.lose(slots)?;
            new.iter().for_each(tell);
            let _ = reply.send(new.is_some());
        }
        Request::Die => panic!("it was asked to"),
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

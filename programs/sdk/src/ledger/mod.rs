//! The chain as its clients see it: a live view to read, a way to send. JSON-RPC is one implementation.

pub(crate) mod replica;
#[allow(clippy::disallowed_methods, reason = "the chain of the real world")]
pub mod rpc;

use std::sync::Arc;

use async_trait::async_trait;
use dz_serviceability::error::ServiceabilityError;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use tokio::sync::watch;

use crate::view::{NetworkView, ViewError};

/// Why the ledger did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The program refused; nothing has changed.
    #[error("{error}")]
    Refused {
        /// Which instruction of the transaction.
        instruction: u8,
        /// The program's own reason.
        error: ServiceabilityError,
    },
    /// The transaction failed outside our program; nothing has changed.
    #[error("transaction failed: {0}")]
    Failed(String),
    /// The ledger cannot be reached or did not answer in time; the transaction may have landed.
    #[error("ledger at {url}: {reason}")]
    Unavailable {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The chain holds bytes that are no account.
    #[error(transparent)]
    View(#[from] ViewError),
}

/// A transaction that landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landed {
    /// Its signature.
    pub signature: Signature,
    /// The slot it landed in; a snapshot of this slot or later shows its effect. So does a live view, unless its
    /// notification got lost; then the next full read brings it.
    pub slot: u64,
}

/// The chain.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The key that signs and pays.
    fn payer(&self) -> Pubkey;

    /// The program.
    fn program(&self) -> Pubkey;

    /// Reads all accounts now.
    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError>;

    /// Sends the instructions as one transaction, signed by the payer, and returns when it has landed.
    async fn send(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError>;

    /// What the payer has, in lamports.
    async fn balance(&self) -> Result<u64, LedgerError>;

    /// The live view: `None` until the first read succeeded, then every change. It survives outages: the last good
    /// view stays, and after any gap everything is read again.
    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>>;
}

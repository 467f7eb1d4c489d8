//! A ledger that does not answer.

use std::sync::Arc;

use async_trait::async_trait;
use dz_sdk::{Ledger, LedgerError, NetworkView, ledger::Landed, program::ID};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::sync::watch;

/// Shows nothing and takes nothing.
pub(crate) struct Away(watch::Sender<Option<Arc<NetworkView>>>);

impl Away {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }
}

fn unavailable() -> LedgerError {
    LedgerError::Unavailable { url: "http://127.0.0.1:8899".to_owned(), reason: "connection refused".to_owned() }
}

#[async_trait]
impl Ledger for Away {
    fn payer(&self) -> Pubkey {
        Pubkey::default()
    }

    fn program(&self) -> Pubkey {
        ID
    }

    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        Err(unavailable())
    }

    async fn send(&self, _instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        Err(unavailable())
    }

    async fn balance(&self) -> Result<u64, LedgerError> {
        Err(unavailable())
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        self.0.subscribe()
    }
}

//! The chain by an account stream, for those to whom it does not matter whether they read: the runner, and clients that are
//! hosted together. A read costs the whole chain, which a thousand commands at once must not pay a thousand times.

use std::sync::Arc;

use async_trait::async_trait;
use dz_sdk::{
    Ledger, NetworkView,
    ledger::{Landed, LedgerError, rpc::RpcLedger},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::sync::watch;

/// One key's use of a chain that is followed.
pub(super) struct AccountStream {
    chain: RpcLedger,
    slots: watch::Receiver<u64>,
}

impl AccountStream {
    /// The chain that `chain` follows; `slots` is the bank's latest.
    pub(super) fn new(chain: RpcLedger, slots: watch::Receiver<u64>) -> Self {
        Self { chain, slots }
    }
}

#[async_trait]
impl Ledger for AccountStream {
    fn payer(&self) -> Pubkey {
        self.chain.payer()
    }

    fn program(&self) -> Pubkey {
        self.chain.program()
    }

    /// The view once it is of the latest slot: what a read would have shown.
    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        let slot = *self.slots.borrow();
        let mut views = self.chain.watch();
        let view = views.wait_for(|view| view.as_ref().is_some_and(|view| view.slot() >= slot)).await;
        let view = view.ok().and_then(|view| view.clone());
        view.ok_or_else(|| LedgerError::Failed("the subscription to the ledger has ended".to_owned()))
    }

    async fn send(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        self.chain.send(instructions).await
    }

    async fn balance(&self) -> Result<u64, LedgerError> {
        self.chain.balance().await
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        self.chain.watch()
    }
}

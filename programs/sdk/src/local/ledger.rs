//! The bank in memory behind the trait that the services use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use tokio::sync::watch;

use super::{LocalBank, LocalError};
use crate::{
    ledger::{Landed, Ledger, LedgerError},
    view::NetworkView,
};

/// One key's way to a bank in memory. Clones made by [`as_payer`](Self::as_payer) share the bank.
#[derive(Clone)]
pub struct LocalLedger {
    bank: Arc<Mutex<LocalBank>>,
    views: watch::Sender<Option<Arc<NetworkView>>>,
    slots: watch::Sender<u64>,
    program: Pubkey,
    payer: Pubkey,
}

impl LocalLedger {
    /// The bank, used by this key.
    ///
    /// # Errors
    /// An account does not decode.
    pub fn new(bank: LocalBank, payer: Pubkey) -> Result<Self, LedgerError> {
        let view = Arc::new(bank.view()?);
        let (program, slots) = (bank.program(), watch::Sender::new(bank.slot()));
        Ok(Self { bank: Arc::new(Mutex::new(bank)), views: watch::Sender::new(Some(view)), slots, program, payer })
    }

    /// The same bank, used by another key.
    pub fn as_payer(&self, payer: Pubkey) -> Self {
        Self { payer, ..self.clone() }
    }

    /// The slot of the last transaction, as it changes.
    pub fn slots(&self) -> watch::Receiver<u64> {
        self.slots.subscribe()
    }

    /// The bank itself.
    pub fn bank(&self) -> MutexGuard<'_, LocalBank> {
        // A panic elsewhere leaves the bank between two transactions, which is a state it may be in.
        self.bank.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loses the last slots: see [`LocalBank::lose`].
    ///
    /// # Errors
    /// Not that many slots are remembered, or an account does not decode.
    pub fn lose(&self, slots: u64) -> Result<(), LedgerError> {
        let mut bank = self.bank();
        if !bank.lose(slots) {
            return Err(LedgerError::Failed(format!("the chain does not remember {slots} slots")));
        }
        self.publish(&mut bank)
    }

    fn publish(&self, bank: &mut LocalBank) -> Result<(), LedgerError> {
        let mut result = Ok(());
        self.views.send_modify(|view| {
            let view = view.get_or_insert_with(|| Arc::new(NetworkView::new(self.program)));
            result = bank.refresh(Arc::make_mut(view));
        });
        self.slots.send_replace(bank.slot());
        Ok(result?)
    }
}

#[async_trait]
impl Ledger for LocalLedger {
    fn payer(&self) -> Pubkey {
        self.payer
    }

    fn program(&self) -> Pubkey {
        self.program
    }

    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        // The live view is this snapshot, unless somebody has put an account in by hand.
        let mut bank = self.bank();
        if bank.has_changed() {
            self.publish(&mut bank)?;
        }
        let view = self.views.borrow().clone();
        Ok(view.map_or_else(|| bank.view().map(Arc::new), Ok)?)
    }

    async fn send(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        let mut bank = self.bank();
        let slot = bank.execute(&[self.payer], instructions).map_err(|error| match error {
            LocalError::Refused { instruction, error } => {
                LedgerError::Refused { instruction: u8::try_from(instruction).unwrap_or(u8::MAX), error }
            }
            other => LedgerError::Failed(other.to_string()),
        })?;
        self.publish(&mut bank)?;
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&slot.to_le_bytes());
        Ok(Landed { signature: Signature::from(signature), slot })
    }

    async fn balance(&self) -> Result<u64, LedgerError> {
        Ok(self.bank().accounts().get(&self.payer).map_or(0, |account| account.lamports))
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        self.views.subscribe()
    }
}

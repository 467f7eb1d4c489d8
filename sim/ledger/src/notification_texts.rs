//! Texts of the notifications of one slot, encoded once for all subscribers with the same parameters.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use solana_account_decoder_client_types::{UiAccountEncoding, UiDataSliceConfig};
use solana_pubkey::Pubkey;

/// What a text says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Says {
    /// What an account is now; with its address where the subscriber does not know it.
    Account { address: Pubkey, keyed: bool, encoding: UiAccountEncoding, slice: Option<UiDataSliceConfig> },
    /// What the transaction said.
    Logs,
    /// What happened to the slot.
    SlotUpdates,
}

/// The results of notifications, as JSON.
pub(crate) type Results = Arc<[String]>;

/// The texts of one slot.
#[derive(Debug, Default)]
pub(crate) struct NotificationTexts(Mutex<HashMap<Says, Results>>);

impl NotificationTexts {
    /// The text; the first caller encodes it.
    pub(crate) fn of(&self, says: Says, write: impl FnOnce() -> Vec<String>) -> Results {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(texts.entry(says).or_insert_with(|| write().into()))
    }
}

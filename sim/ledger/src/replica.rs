//! All that clients can read without the bank: the index of accounts and the history, at one slot.

use std::sync::Arc;

use solana_account::Account;
use solana_clock::{Clock, Slot, UnixTimestamp};
use solana_epoch_schedule::EpochSchedule;
use solana_hash::Hash;

use crate::{
    accounts::{AccountChange, AccountIndex, MAX_READ_LAG},
    history::{FIRST_SLOT, History, TransactionRecord},
    notification_texts::NotificationTexts,
};

/// What one slot brought.
#[derive(Debug)]
pub struct Landed {
    /// The slot, which is the chain's revision.
    pub slot: Slot,
    /// The slot it is on top of: the one before it, unless that was lost.
    pub parent: Slot,
    /// Its blockhash.
    pub blockhash: Hash,
    /// Its time in seconds since 1970.
    pub time: UnixTimestamp,
    /// The transaction.
    pub transaction: Arc<TransactionRecord>,
    /// What it changed, the clock included; each address once.
    pub changes: Vec<AccountChange>,
    pub(crate) texts: NotificationTexts,
}

#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) accounts: AccountIndex,
    pub(crate) history: History,
    pub(crate) epochs: EpochSchedule,
}

impl Replica {
    /// The slot that a reader sees who lags by this number of slots.
    pub(crate) fn slot(&self, lag: Slot) -> Slot {
        let latest = self.history.latest();
        latest.saturating_sub(lag.min(MAX_READ_LAG as Slot)).max(FIRST_SLOT)
    }

    /// Takes over what landed in the slot after the latest.
    pub(crate) fn apply(&mut self, landed: &Landed, message: Hash) {
        self.accounts.apply(landed.slot, &landed.changes);
        self.history.append(Arc::clone(&landed.transaction), message);
    }
}

/// The clock's account, as the bank stores it (`solana_clock::Clock` by bincode).
pub(crate) fn clock_account(clock: &Clock, like: &Account) -> Account {
    let mut data = Vec::with_capacity(40);
    data.extend(clock.slot.to_le_bytes());
    data.extend(clock.epoch_start_timestamp.to_le_bytes());
    data.extend(clock.epoch.to_le_bytes());
    data.extend(clock.leader_schedule_epoch.to_le_bytes());
    data.extend(clock.unix_timestamp.to_le_bytes());
    Account { data, ..like.clone() }
}

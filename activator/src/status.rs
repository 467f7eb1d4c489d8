//! The activator's state, for its health answer.

use std::sync::Mutex;

/// The last that is known about the reconciler.
#[derive(Debug, Default)]
pub struct Status(Mutex<Inner>);

#[derive(Clone, Debug, Default)]
struct Inner {
    planned_slot: Option<u64>,
    idle: bool,
    ledger_error: Option<String>,
}

impl Status {
    pub(crate) fn planned(&self, slot: u64) {
        self.edit(|inner| (inner.planned_slot, inner.idle) = (Some(slot), false));
    }

    /// The plan of that slot had nothing to send.
    pub(crate) fn idle(&self) {
        self.edit(|inner| inner.idle = true);
    }

    /// Whether the last plan had nothing to send.
    pub fn is_idle(&self) -> bool {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).idle
    }

    pub(crate) fn ledger_works(&self) {
        self.edit(|inner| inner.ledger_error = None);
    }

    pub(crate) fn ledger_failed(&self, error: &str) {
        self.edit(|inner| inner.ledger_error = Some(error.to_owned()));
    }

    /// The slot last planned from, and the ledger's last error if it has not worked since.
    pub fn get(&self) -> (Option<u64>, Option<String>) {
        let inner = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        (inner.planned_slot, inner.ledger_error)
    }

    fn edit(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    }
}

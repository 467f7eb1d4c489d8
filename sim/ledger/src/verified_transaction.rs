//! Checks of a transaction before the bank sees it.

use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

/// A transaction with what the bank takes for granted: its form is right, and each signature is that of its key.
#[derive(Clone, Debug)]
pub(crate) struct VerifiedTransaction(VersionedTransaction);

impl VerifiedTransaction {
    /// Checks a transaction, off the bank thread.
    pub(crate) fn new(transaction: VersionedTransaction) -> Result<Self, TransactionError> {
        sanitize(&transaction)?;
        match signatures_are_right(&transaction) {
            true => Ok(Self(transaction)),
            false => Err(TransactionError::SignatureFailure),
        }
    }

    pub(crate) fn transaction(&self) -> &VersionedTransaction {
        &self.0
    }

    pub(crate) fn into_inner(self) -> VersionedTransaction {
        self.0
    }
}

/// Refuses what is not well formed.
pub(crate) fn sanitize(transaction: &VersionedTransaction) -> Result<(), TransactionError> {
    transaction.sanitize().map_err(|_| TransactionError::SanitizeFailure)
}

/// Whether each signature is that of its key.
pub(crate) fn signatures_are_right(transaction: &VersionedTransaction) -> bool {
    transaction.verify_with_results().into_iter().all(|valid| valid)
}

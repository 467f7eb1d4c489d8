//! The chain in memory: the program itself runs, natively and without a bank, over accounts in a map.
//!
//! For models, property tests and plans that want thousands of transactions a second. It holds what a bank holds a
//! program to: a refused transaction changes nothing, an account that is not writable does not change, no lamports
//! appear or vanish. It knows no fees, no signatures, no blocks.
//!
//! A [`LocalLedger`] is the chain seen from inside; a [`LocalClient`] sees it as a process on some node does, through
//! whatever goes wrong between that node and the chain.

mod bank;
mod client;
mod faults;
mod follow;
mod host;
mod input;
mod ledger;
mod record;

pub use bank::{LocalBank, LocalError};
pub use client::LocalClient;
pub use faults::{LocalFaults, LocalHits, LocalNode};
pub use ledger::LocalLedger;
pub use record::Record;

//! What every client of the chain links: instruction builders, the network view, the ledger.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod audit;
pub mod build;
pub mod instruction;
pub mod ledger;
pub mod local;
pub mod view;

pub use dz_serviceability as program;
pub use ledger::{Ledger, LedgerError};
pub use view::NetworkView;

//! Library for clients of the chain: instruction builders, the network view, the ledger.
//!
//! ```
//! use dz_sdk::{NetworkView, instruction::contributor, program};
//! use solana_pubkey::Pubkey;
//!
//! let signer = Pubkey::new_from_array([7; 32]);
//! let instruction = contributor::suspend_contributor(&program::ID, &signer, program::pda::contributor(&program::ID, "acme").0);
//! assert_eq!(instruction.program_id, program::ID);
//! assert!(NetworkView::new(program::ID).devices().is_empty());
//! ```

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

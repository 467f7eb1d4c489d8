//! The DoubleZero serviceability program: accounts, pools, lifecycles and their rules.
//!
//! The rules are in `processor`, one file a verb. What they share is split by what it knows: [`lists`] say which accounts
//! an instruction has and who may send it, `accounts` loads and stores, `authority` says who is who, `pools` and
//! [`address_registry`] hold units, [`validation`] checks values, and [`host`] is the runtime below.
//!
//! ```
//! use dz_serviceability::{ID, pda, validation::InterfaceName};
//!
//! let name: InterfaceName = "lo100".parse().expect("a short form");
//! assert_eq!((name.to_string().as_str(), name.loopback_number()), ("Loopback100", Some(100)));
//! // An account is found by what it is: a device by its code.
//! let (device, _bump) = pda::device(&ID, "nyc1");
//! assert_ne!(device, pda::device(&ID, "nyc2").0);
//! ```

pub mod address_registry;
pub mod entrypoint;
pub mod error;
pub mod host;
pub mod instruction;
pub mod lists;
pub mod network;
pub mod pda;
pub mod state;
pub mod upgrade;
pub mod validation;

mod accounts;
mod authority;
mod counter;
mod pools;
mod processor;
mod rights;

// The SHA-256 of "doublezero serviceability": an address for which nobody has a key.
solana_pubkey::declare_id!("Fo2q9MDA4EeCw1hXSkt4vnrhaXYhzxJ9t47ybbetzgoJ");

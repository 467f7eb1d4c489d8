//! A solana-program-test bank behind a Solana JSON-RPC server.
//!
//! [`Ledger::start`] sets the bank up; [`Ledger::serve`] answers ordinary Solana clients on listeners that others
//! bound, one pair for each node; [`Ledger::faults`] says what goes wrong between one of them and the ledger. Every
//! transaction that lands is a slot of its own, so a slot is a revision of the chain.

mod accounts;
mod bank;
mod chain;
mod config;
mod encode;
mod faults;
mod history;
mod ledger;
mod logs;
mod message;
mod pubsub;
mod replica;
mod rpc;
mod server;
mod standalone;

pub use accounts::{AccountChange, MAX_READ_LAG};
pub use chain::{Refusal, Trace};
pub use config::{LedgerConfig, Limits, Program};
pub use faults::{Chance, ClientName, FaultHandle, Faults, NotAChance, NotificationFaults};
pub use history::{ReturnData, TransactionRecord};
pub use ledger::{Ledger, SendError, StartError, keypair};
pub use replica::Landed;
pub use solana_program_test::processor;
pub use standalone::{Standalone, StandaloneError, standalone};

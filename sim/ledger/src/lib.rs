//! A solana-program-test bank behind a Solana JSON-RPC server.
//!
//! [`Ledger::start`] sets the bank up; [`Ledger::serve`] answers ordinary Solana clients on listeners that others
//! bound, one pair for each node; [`Ledger::faults`] says what goes wrong between one of them and the ledger. Every
//! transaction that lands is a slot of its own, so a slot is a revision of the chain.
//!
//! What differs from a validator, and why, is in docs/decisions/0040 to 0046:
//! - a slot comes with a transaction and not with time, and everything that landed is final at once;
//! - a blockhash is valid for as long as the history reaches (65,536 slots), unless the configuration says less;
//! - a program subscription is notified of closed accounts, unless the configuration says not;
//! - a transaction that can never land is answered with its error also without a preflight;
//! - `jsonParsed` parses nothing: accounts come as base64 and instructions with their data, as a validator answers
//!   for programs that it does not know;
//! - methods about tokens, stake, inflation and supply are not offered, nor block and vote subscriptions.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! let ledger = dzsim_ledger::start().await?;
//! println!("solana --url {} slot", ledger.rpc_url());
//! # Ok::<(), dzsim_ledger::ServeError>(())
//! # }).unwrap();
//! ```

mod accounts;
mod bank;
mod call_limits;
mod config;
mod connection;
mod encode;
mod faults;
mod history;
mod keys;
mod leader;
mod ledger;
mod logs;
mod message;
mod notification_texts;
mod pubsub;
mod replica;
mod rpc;
mod served;
mod server;
mod shared;
mod standalone;
mod verified_transaction;

pub use crate::shared::SendError;
pub use accounts::{AccountChange, MAX_READ_LAG};
pub use config::{LedgerConfig, Limits, Origins, Program};
pub use faults::{Chance, ClientName, FaultHandle, Faults, Hits, NotAChance, NotificationFaults};
pub use history::{ReturnData, TransactionRecord};
pub use keys::keypair;
pub use leader::{Refusal, Trace};
pub use ledger::{Ledger, StartError};
pub use replica::Landed;
pub use served::{ServeError, Served, start, start_with};
pub use solana_program_test::processor;
pub use standalone::{Standalone, known_keys, standalone};

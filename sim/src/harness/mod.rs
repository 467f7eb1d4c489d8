//! Networks for tests and programs in Rust: what a scenario says in YAML, and code where a scenario has no words.
//!
//! A [`Scenario`] says what exists; [`Scenario::run`] brings it up in one of the two worlds and hands a [`Network`] to a
//! function. The attribute [`macro@crate::test`] makes a test of such a function, in a process of its own.

mod before_main;
mod error;
mod network;
mod scenario;
#[doc(hidden)]
pub mod test_process;

pub use error::Error;
pub use network::{Client, Device, Network, Operator};
pub use scenario::{SMALL, Scenario};

/// What a test or a program of this library returns.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

//! The client daemon doublezerod and the command line doublezero.
//!
//! ```
//! use clap::Parser;
//! use dz_client::cli::args::{Cli, Command};
//!
//! let cli = Cli::try_parse_from(["doublezero", "--json", "status"]).expect("a valid command line");
//! assert!(cli.json && matches!(cli.command, Command::Status));
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod api;
pub mod cli;
pub mod daemon;
pub mod keypair;
pub mod select;
mod unix_time;

pub use dz_service::LogFormat;
pub use unix_time::UnixTime;

//! The client daemon doublezerod and the command line doublezero.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod api;
pub mod cli;
pub mod daemon;
pub mod keypair;
pub mod select;
mod unix_time;

pub use dz_service::LogFormat;
pub use unix_time::UnixTime;

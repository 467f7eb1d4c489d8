//! The client daemon doublezerod and the command line doublezero.

pub mod api;
mod backoff;
pub mod chain;
pub mod cli;
pub mod daemon;
mod log;
mod notify;
pub mod select;
mod signal;

pub use log::LogFormat;

//! doublezero, the command line.

pub mod args;
pub mod connect;
pub mod disconnect;
pub mod entity;
pub mod error;
pub mod exit;
mod key;
pub mod latency;
pub mod names;
pub mod output;
pub mod progress;
mod run;
pub mod status;
pub mod wait;

pub use run::{Deps, execute, run};

//! doublezero, the command line.

pub mod args;
mod backlog;
pub mod connect;
pub mod deadline;
pub mod disconnect;
mod dispatch;
pub mod entity;
pub mod error;
pub mod exit;
mod key;
pub mod latency;
pub mod names;
pub mod output;
pub mod progress;
pub mod routes;
pub mod status;

pub use dispatch::{Deps, execute, run};

//! doublezero, the command line.

pub mod daemon;
pub mod error;
pub mod exit;
pub mod latency;
pub mod output;
pub mod progress;
pub mod status;
pub mod wait;

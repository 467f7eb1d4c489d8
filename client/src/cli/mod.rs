//! doublezero, the command line.

pub mod daemon;
pub mod exit;

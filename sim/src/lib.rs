//! The DoubleZero simulator: runs, the oracle and the command line.

pub mod cli;
pub mod exit;
pub mod report;
pub mod run;

//! The DoubleZero simulator: runs, the oracle and the command line.

pub mod answer;
pub mod cli;
pub mod command;
mod entropy;
pub mod exit;
pub mod files;
pub mod held_networks;
pub mod multicall;
pub mod report;
pub mod run;

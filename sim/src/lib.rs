//! The DoubleZero simulator: runs, the oracle and the command line.

pub mod answer;
pub mod capsule;
pub mod cli;
pub mod command;
mod entropy;
pub mod environment;
pub mod exit;
pub mod harness;
pub mod held_networks;
pub mod interrupt;
pub mod multicall;
pub mod page;
pub mod report;
pub mod run;
pub mod runner;
pub mod scenario_files;
mod shell_word;
pub mod terminal;

pub use dzsim_macros::test;
pub use harness::{Error, Network, Result, Scenario};
pub use run::world::Kind as World;

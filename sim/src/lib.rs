//! The DoubleZero simulator: runs, the oracle and the command line; and a library of networks for tests in Rust.
//!
//! ```no_run
//! #[dzsim::test]
//! async fn a_client_gets_a_tunnel(net: dzsim::Network) -> dzsim::Result {
//!     net.client("val1").run("doublezero connect ibrl").await?;
//!     assert_eq!(net.client("val1").tunnels().await?.len(), 1);
//!     Ok(())
//! }
//! ```
//!
//! That is two tests, one in each world ([`test`](macro@test)). A program does the same with a [`Scenario`]:
//!
//! ```no_run
//! let network = "network: { devices: { nyc1: { exchange: nyc } }, clients: { val1: { exchange: nyc } } }";
//! dzsim::Scenario::from_yaml(network)?.world(dzsim::World::Virtual).run(async |net| {
//!     net.client("val1").run("doublezero connect ibrl").await
//! })??;
//! # Ok::<(), dzsim::Error>(())
//! ```

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
mod this_program;

pub use dzsim_macros::test;
pub use harness::{Error, Network, Result, Scenario};
pub use run::world::Kind as World;

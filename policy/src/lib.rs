//! Policies that an operator or an RFC author may choose, each word once.
//!
//! A choice is a type here. From its derives come the flags of the products (clap), the keys of a scenario's `policy:`
//! (serde), the JSON Schema and the reference page (schemars), and the text that is passed from one to the other. What
//! a choice does is decided by its user: the activator's strategies, the client's selection.
//!
//! Nothing here changes what is correct, only which correct value is taken and whether a request waits for one.
//!
//! ```
//! use dz_policy::{ConnectPolicy, Flags, Rank};
//!
//! let policy = ConnectPolicy { rank: Rank::Latency, ..ConnectPolicy::default() };
//! assert!(policy.flags().contains(&"--rank=latency".to_owned()));
//! assert!(policy.variables().contains(&("DZ_LATENCY_TOLERANCE".to_owned(), "5ms".to_owned())));
//! ```

mod activator;
mod connect;
mod defaults;
mod flags;
mod quantity;
mod word;

pub use activator::{ActivatorPolicy, DzIp, EndpointPull, LoopbackNumbering, WhenFull};
pub use connect::{ConnectPolicy, Rank, WhenDrained};
pub use defaults::{HOLD_TIME, TOLERANCE};
pub use flags::Flags;
pub use quantity::{Duration, quantity};

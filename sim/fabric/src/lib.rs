//! The simulated internet and backbone.
//!
//! Each node's uplink is a TUN device whose other end the fabric holds. It routes packets by their destination, as
//! the internet does, and lets each direction between two nodes delay, lose, reorder or limit them as its
//! [`PathProfile`] says. Backbone links are pairs of TUN devices with properties of their own. Every packet is counted,
//! and recorded if that is wanted.
//!
//! A sans-I/O core decides; one thread carries packets between it and the devices. [`Fabric`] is the handle.

pub mod geo;

mod capture;
mod core;
mod counters;
mod error;
mod fabric;
mod lead;
mod packet;
mod profile;
mod pump;
mod tun;
mod units;

pub use capture::{CaptureConfig, Ring};
pub use core::flow::Mark;
pub use counters::{DropReason, FabricCounters, GrePair, Medium, PathCounters, Tally, Traffic, TrafficFilter};
pub use error::{FabricError, Result};
pub use fabric::{Fabric, FabricConfig, LinkSpec, NodePort, NodeSpec};
pub use profile::{Jitter, Loss, MIN_MTU, Ordering, PathProfile, ProfileError, Reach};
pub use units::{BitRate, Probability, UnitError};

/// The name of the internet itself in counters: who sends ICMP errors, and where packets end that reach nobody. No
/// node may have it.
pub const INTERNET: &str = "internet";

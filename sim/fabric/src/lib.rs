//! The simulated internet and backbone.
//!
//! Each node's uplink is a TUN device whose other end the fabric holds. It routes packets by their destination, as
//! the internet does, and lets each direction between two nodes delay, lose, reorder or limit them as its
//! [`PathProfile`] says. Backbone links are pairs of TUN devices with properties of their own. Every packet is counted,
//! and recorded if that is wanted.
//!
//! A sans-I/O core decides; one thread carries packets between it and the devices. [`Fabric`] is the handle.
//!
//! ```no_run
//! # use std::{os::fd::OwnedFd, time::Duration};
//! # use dzsim_fabric::{Fabric, FabricConfig, NodeSpec, PathProfile, TrafficFilter};
//! # fn uplink_of(_node: &str) -> OwnedFd { unimplemented!("a TUN opened in the node's network namespace") }
//! let fabric = Fabric::start(FabricConfig { seed: 7, ..FabricConfig::default() })?;
//! for (name, prefix) in [("val1", "100.0.0.1/32"), ("nyc1", "45.33.100.0/29")] {
//!     let prefixes = vec![prefix.parse()?];
//!     fabric.attach(NodeSpec { name: name.to_owned(), tun: uplink_of(name), vnet_hdr: true, prefixes })?;
//! }
//! fabric.set_path_both("val1", "nyc1", PathProfile::with_delay(Duration::from_millis(4)))?;
//!
//! let mark = fabric.mark();
//! // A node sends; the receiver waits for the fact.
//! let gre = TrafficFilter { from: Some("val1".to_owned()), protocol: Some(47), ..TrafficFilter::default() };
//! let mut version = fabric.version();
//! while fabric.traffic_since(&mark, &gre).delivered.packets == 0 {
//!     version = fabric.wait_traffic(version, Duration::from_secs(1));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod geo;

mod capture;
mod core;
mod counters;
mod early_wake;
mod error;
mod fabric;
mod packet;
mod profile;
mod pump;
mod stepper;
mod tun;
mod units;

pub use capture::{CaptureConfig, Ring};
pub use core::NatFilter;
pub use core::flow::Mark;
pub use counters::{
    DropReason, FabricCounters, FlowNumber, GrePair, Medium, PathCounters, Purpose, Purposes, Tally, Traffic,
    TrafficFilter,
};
pub use error::{FabricError, Result};
pub use fabric::{Fabric, FabricConfig, LinkSpec, NodePort, NodeSpec};
pub use profile::{Jitter, Loss, MIN_MTU, Ordering, PathProfile, ProfileError, Reach};
pub use stepper::{PortId, Stepper};
pub use units::{BitRate, Probability, UnitError};

/// The name of the internet itself in counters: who sends ICMP errors, and where undeliverable packets end. No
/// node may have this name.
pub const INTERNET: &str = "internet";

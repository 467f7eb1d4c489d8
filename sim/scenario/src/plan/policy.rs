//! The chosen policies.

use std::time::Duration;

use dz_policy::{ActivatorPolicy, ConnectPolicy};
use ipnet::Ipv4Net;
use serde::Serialize;

/// Everything about the components that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// How the activator allocates.
    pub activator: ActivatorPolicy,
    /// Activators that run at the same time, at least 1.
    pub activators: u8,
    /// How clients choose.
    pub connect: ConnectPolicy,
    /// Time without an answer from a tunnel's far end after which it counts as down.
    pub hold_time: Duration,
    /// How clients measure.
    pub probes: Probes,
    /// How many endpoints are pulled for a device, unless the device says.
    pub endpoints_per_device: u8,
    /// True when users of one metro reach each other through DoubleZero.
    pub same_metro_routing: bool,
    /// /24s of each DoubleZero block that are kept for edge filtering.
    pub kept_blocks: u16,
    /// Loopback numbers reserved for tunnel termination.
    pub loopbacks: LoopbackRange,
    /// Length of the smallest prefix a contributor may bring or be given.
    pub minimum_prefix: u8,
    /// What everything is allocated from.
    pub blocks: Blocks,
}

/// How clients measure the way to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Probes {
    /// Probes for one measurement, at least 1.
    pub count: u8,
    /// Between two probes of one measurement.
    pub interval: Duration,
    /// After which a probe counts as lost.
    pub timeout: Duration,
    /// Endpoints measured at the same time, at least 1.
    pub concurrency: u16,
    /// From the start of one measurement to the next.
    pub period: Duration,
}

/// Numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LoopbackRange {
    /// "n" of the RFC.
    pub first: u16,
    /// "y" of the RFC, at least `first`.
    pub last: u16,
}

/// The global blocks, each list in allocation order and never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// Contributors' /24s come from these.
    pub doublezero: Vec<Ipv4Net>,
    /// A /31 for each user tunnel.
    pub user_tunnels: Vec<Ipv4Net>,
    /// A /31 for each link.
    pub device_tunnels: Vec<Ipv4Net>,
    /// An address for each multicast group.
    pub groups: Vec<Ipv4Net>,
    /// A source address for each publisher.
    pub publishers: Vec<Ipv4Net>,
}

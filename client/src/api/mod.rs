//! The protocol between daemon and command line: HTTP with JSON over a Unix socket.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v2/status[?after=VERSION]` | [`Status`] |
//! | `GET /v2/latency[?after=VERSION]` | [`Latency`] |
//! | `GET /v2/latency?thorough=true` | [`Latency`] after a round that asks every endpoint with all probes |
//! | `GET /routes` | [`Route`]s |
//! | `POST /enable`, `POST /disable` | [`Status`] |
//!
//! With `after` the answer waits until it has another version than that, at most [`HOLD`]: who waits for a fact asks
//! again with the version it has seen, without polling. Names are those that the live network's users know.

mod daemon;

use std::{net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

pub use self::daemon::{Daemon, DaemonError};
use crate::UnixTime;

/// Where the daemon listens by default.
pub const DEFAULT_SOCKET: &str = "/var/run/doublezerod/doublezerod.sock";

/// How long an answer to a request with `after` is held back at most.
pub const HOLD: Duration = Duration::from_secs(20);

/// What the daemon holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Grows with every change of what follows; starts again with the daemon.
    pub version: u64,
    /// False when tunnels are switched off.
    pub reconciler_enabled: bool,
    /// The client's own address.
    pub client_ip: Ipv4Addr,
    /// What the network is called.
    pub network: String,
    /// The chain's revision it has acted on; none before the first reading.
    pub slot: Option<u64>,
    /// True when its tunnels are what that revision says.
    pub settled: bool,
    /// One entry a tunnel, by name.
    pub services: Vec<Service>,
}

/// One tunnel as users know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Interface name, such as `doublezero0`.
    pub tunnel_name: String,
    /// Outer source.
    pub tunnel_src: Ipv4Addr,
    /// Outer destination: the endpoint.
    pub tunnel_dst: Ipv4Addr,
    /// The address the user is known by inside.
    pub doublezero_ip: Ipv4Addr,
    /// Whether it carries traffic.
    pub doublezero_status: SessionStatus,
    /// Service as the chain names it, such as `IBRL`.
    pub user_type: String,
    /// Code of the device it ends on.
    pub current_device: String,
    /// Median round-trip time to the endpoint it ends on. None while it does not answer.
    pub current_device_rtt_nanoseconds: Option<u64>,
    /// Probes to that endpoint without an answer, in percent. None before the first round.
    pub current_device_loss_percentage: Option<u8>,
    /// Code of the device that is nearest from here; the one it ends on unless another is nearer by more than the
    /// tolerance. None while
    /// nothing answers.
    pub lowest_latency_device: Option<String>,
    /// Code of the metro it ends in.
    pub metro: String,
    /// Code of the tenant, if any.
    pub tenant: Option<String>,
    /// Codes of the groups it has a role in.
    pub multicast_groups: MulticastGroups,
    /// The same groups, one by one.
    pub subscriptions: Vec<Subscription>,
    /// What is wrong with it, when something is.
    pub error: Option<String>,
}

/// The session of a tunnel, and when it last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Whether the tunnel carries traffic.
    pub session_status: Session,
    /// When it became so. None while the tunnel is not there to be asked.
    pub last_session_update: Option<UnixTime>,
}

/// Codes of groups by role, each list in the order of the groups' addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MulticastGroups {
    /// Groups it publishes to.
    pub publisher: Vec<String>,
    /// Groups it subscribes to.
    pub subscriber: Vec<String>,
}

/// A group that a tunnel has a role in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Account of the group.
    pub pubkey: String,
    /// Its code.
    pub code: String,
    /// Its address.
    pub multicast_ip: Ipv4Addr,
    /// Bits per second that its publishers may send together.
    pub max_bandwidth: u64,
    /// True when the tunnel publishes to it.
    pub publisher: bool,
    /// True when the tunnel subscribes to it.
    pub subscriber: bool,
}

/// Whether a tunnel carries traffic, judged by probing the far overlay address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Session {
    /// Not answered yet.
    Pending,
    /// The device answers.
    Up,
    /// The device has stopped answering.
    Down,
}

/// A route through a tunnel, as it should be and as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Interface name of the tunnel.
    pub tunnel_name: String,
    /// Where it leads.
    pub network: Ipv4Net,
    /// Source of what takes it.
    pub local_ip: Ipv4Addr,
    /// The far overlay address of the tunnel.
    pub peer_ip: Ipv4Addr,
    /// Whether the kernel has it.
    pub kernel_state: KernelState,
}

/// Whether the kernel has a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum KernelState {
    /// It has.
    Present,
    /// It has not: the tunnel does not answer, or the route could not be made.
    Absent,
}

/// The newest probe round of every endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Grows with every round; starts again with the daemon.
    pub version: u64,
    /// True once every endpoint that the chain showed at `slot` has been probed.
    pub ready: bool,
    /// The chain's revision the endpoints are of.
    pub slot: Option<u64>,
    /// One result for each (device, endpoint), fastest first, the unreachable ones last.
    pub results: Vec<EndpointLatency>,
}

/// What probing one endpoint gave. Times are nanoseconds and absent when no probe was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointLatency {
    /// Account of the device.
    pub device_pk: String,
    /// Code of the device.
    pub device_code: String,
    /// The endpoint.
    pub device_ip: Ipv4Addr,
    /// Name of the interface that holds it.
    pub interface_name: String,
    /// Fastest answer of the last rounds, and what choices are made by.
    pub min_latency_ns: Option<u64>,
    /// Median answer.
    pub median_latency_ns: Option<u64>,
    /// Mean answer.
    pub avg_latency_ns: Option<u64>,
    /// Slowest answer.
    pub max_latency_ns: Option<u64>,
    /// Probes without an answer, in percent.
    pub loss_percentage: u8,
    /// True when at least one probe was answered.
    pub reachable: bool,
    /// When a probe was answered last, in this round or an earlier one.
    pub last_seen: Option<UnixTime>,
}

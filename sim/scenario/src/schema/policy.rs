//! Policies of the components.

use dz_policy::{ActivatorPolicy, Rank, WhenDrained};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Duration, Net, OneOrMany, Range};

/// What an operator or an RFC author may choose. Everything has the value of the RFC as its default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// How the activator allocates.
    #[serde(default)]
    pub(crate) activator: ActivatorPolicy,
    /// How many activators run at the same time. Default: 1.
    pub(crate) activators: Option<u8>,
    /// How clients measure and choose.
    #[serde(default)]
    pub(crate) client: ClientPolicy,
    /// How many endpoints are pulled for a device. Default: 2.
    pub(crate) endpoints_per_device: Option<u8>,
    /// Whether users of one metro reach each other through DoubleZero, or by the internet only. Default: true.
    pub(crate) same_metro_routing: Option<bool>,
    /// /24s of each DoubleZero block that are kept for edge filtering. Default: 0.
    pub(crate) kept_blocks: Option<u16>,
    /// Loopback numbers reserved for tunnel termination (n-y of the RFC). Default: 100..199.
    pub(crate) loopbacks: Option<Range>,
    /// Length of the smallest prefix a contributor may bring or be given. Default: 29.
    pub(crate) minimum_prefix: Option<u8>,
    /// The blocks that everything is allocated from.
    #[serde(default)]
    pub(crate) blocks: Blocks,
}

/// How clients measure and choose.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientPolicy {
    /// How much longer than the present device's a fallback device's round trip may be. Default: 5ms.
    pub(crate) latency_tolerance: Option<Duration>,
    /// How much longer than the shortest a round trip may be and still count as equal to it. Default: 5ms, not the 1ms of `doublezero connect`: a machine that runs several
    /// networks at a time delays single packets by milliseconds, and no choice may depend on that.
    pub(crate) latency_tie: Option<Duration>,
    /// Choice between devices that are equally near. Default: fewest-tunnels.
    pub(crate) rank: Option<Rank>,
    /// Handling of a tunnel that ends on a drained device, when its service is connected again. Default: stay.
    pub(crate) when_drained: Option<WhenDrained>,
    /// Time without an answer from a tunnel's far end after which it counts as down. Default: 3s.
    pub(crate) hold_time: Option<Duration>,
    /// Probes for one measurement of an endpoint. Default: 3.
    pub(crate) probes: Option<u8>,
    /// Between two probes of one measurement. Default: 10ms.
    pub(crate) probe_interval: Option<Duration>,
    /// After which a probe counts as lost. Default: 500ms.
    pub(crate) probe_timeout: Option<Duration>,
    /// Endpoints measured at the same time. Default: 32.
    pub(crate) probe_concurrency: Option<u16>,
    /// From the start of one measurement of an endpoint to the next. Default: 2s.
    pub(crate) probe_period: Option<Duration>,
}

/// The blocks that everything is allocated from, in allocation order.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blocks {
    /// Contributors' /24s. Default: 148.51.128.0/21.
    #[serde(default)]
    pub(crate) doublezero: OneOrMany<Net>,
    /// A /31 for each user tunnel. Default: 169.254.0.0/16.
    #[serde(default)]
    pub(crate) user_tunnels: OneOrMany<Net>,
    /// A /31 for each link. Default: 172.16.0.0/16.
    #[serde(default)]
    pub(crate) device_tunnels: OneOrMany<Net>,
    /// An address for each multicast group. Default: 233.84.178.0/24.
    #[serde(default)]
    pub(crate) groups: OneOrMany<Net>,
    /// A source address for each publisher. Default: 148.51.120.0/21.
    #[serde(default)]
    pub(crate) publishers: OneOrMany<Net>,
}

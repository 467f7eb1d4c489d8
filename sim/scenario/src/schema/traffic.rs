//! Steps that send packets, and steps that look at them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Allowed, Bound, Duration, DurationBound, OneOrMany, Step};

/// Sends ICMP echo requests and waits for the answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PingStep {
    /// Who, to whom, and what must come of it.
    pub(crate) ping: Ping,
    /// Steps that happen while the ping runs: it starts before them, ends after them, and `received` is by default every
    /// request sent.
    #[serde(default, rename = "while")]
    pub(crate) meanwhile: Vec<Step>,
    /// Deadline. Default: `timeouts.step`.
    pub(crate) within: Option<Duration>,
    /// Name under which round trips are measured, and with ` lost` behind it the requests without an answer.
    pub(crate) record: Option<String>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// A ping.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ping {
    /// A client or a device.
    pub(crate) from: String,
    /// A device (the far end of the tunnel `via`, else its `public_ip`), a client (its address in DoubleZero), an address,
    /// or a reference such as `nyc1.endpoints.1`.
    pub(crate) to: String,
    /// Tunnel interface to send through. Default: what the routes say.
    pub(crate) via: Option<String>,
    /// Source address or reference. Default: what the routes say.
    pub(crate) source: Option<String>,
    /// Requests. Default: 3.
    pub(crate) count: Option<u16>,
    /// Between two requests. Default: 10ms.
    pub(crate) interval: Option<Duration>,
    /// Octets of data in a request. Default: 56.
    pub(crate) size: Option<u16>,
    /// True to forbid fragments. Default: false.
    #[serde(default)]
    pub(crate) dont_fragment: bool,
    /// How many answers must come. Default: one for each request.
    pub(crate) received: Option<Bound>,
    /// What every round trip must be like.
    pub(crate) rtt: Option<DurationBound>,
    /// The MTU that an ICMP "fragmentation needed" must report.
    pub(crate) too_big: Option<u16>,
    /// A name for these packets, by which `expect_traffic` counts them alone. Default: none.
    pub(crate) flow: Option<String>,
}

/// Sends UDP datagrams to a group, a client or an address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendStep {
    /// Who, to whom, and who gets it.
    pub(crate) send: Send,
    /// Steps that happen while the datagrams are sent.
    #[serde(default, rename = "while")]
    pub(crate) meanwhile: Vec<Step>,
    /// Deadline. Default: `timeouts.step`.
    pub(crate) within: Option<Duration>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// Datagrams.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Send {
    /// A client.
    pub(crate) from: String,
    /// A group, a client (its address in DoubleZero), an address or a reference.
    pub(crate) to: String,
    /// Tunnel interface to send through. Default: what the routes say.
    pub(crate) via: Option<String>,
    /// Source address or reference. Default: the client's address in DoubleZero.
    pub(crate) source: Option<String>,
    /// Datagrams. Default: 3.
    pub(crate) count: Option<u16>,
    /// Between two datagrams. Default: 10ms.
    pub(crate) interval: Option<Duration>,
    /// Octets of data in a datagram. Default: 64.
    pub(crate) size: Option<u16>,
    /// Clients that get every datagram, or `all`. Default: the client it is sent to; for a group none.
    #[serde(default)]
    pub(crate) received_by: OneOrMany<String>,
    /// Clients that listen and get none, or `all`. Default: none.
    #[serde(default)]
    pub(crate) not_received_by: OneOrMany<String>,
    /// Wraps each datagram in GRE by hand and sends it past the tunnels, as somebody does who forges packets.
    pub(crate) gre: Option<Forged>,
    /// `allowed` where the path may double datagrams; else one that comes twice fails the step.
    pub(crate) duplicates: Option<Allowed>,
    /// A name for these packets, by which `expect_traffic` counts them alone. Default: none.
    pub(crate) flow: Option<String>,
}

/// A GRE packet that is made by hand.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forged {
    /// Outer destination: an address or a reference, such as `nyc1.endpoints.0`.
    pub(crate) to: String,
    /// Outer source: an address or a reference. Default: the sender's own address.
    pub(crate) source: Option<String>,
    /// A key (RFC 2890). Default: none.
    pub(crate) key: Option<u32>,
    /// Octets that the packet is cut to, from its outer header on. Default: not cut.
    pub(crate) cut: Option<u16>,
}

/// Lets an application on a client join a group, until `leave` or the end of the scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinStep {
    /// The group.
    pub(crate) join: String,
    /// The client. Default: the only one.
    pub(crate) on: Option<String>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// Lets the application leave the group again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaveStep {
    /// The group.
    pub(crate) leave: String,
    /// The client. Default: the only one.
    pub(crate) on: Option<String>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// Waits until the simulated internet has carried such packets since the previous action began. Probes by which products
/// measure latencies or watch sessions and links do not count.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficStep {
    /// Which packets, and how many.
    pub(crate) expect_traffic: Traffic,
    /// Deadline. Default: `timeouts.step`.
    pub(crate) within: Option<Duration>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// Packets on the simulated internet, by their outer header.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    /// Short for `protocol: gre` and `to`.
    pub(crate) gre_to: Option<String>,
    /// Short for `protocol: gre` and `from`.
    pub(crate) gre_from: Option<String>,
    /// Source: a client, a device, an address or a reference. Default: any.
    pub(crate) from: Option<String>,
    /// Destination: a client, a device, an address or a reference. Default: any.
    pub(crate) to: Option<String>,
    /// Default: any.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// Count instead the packets on this backbone link.
    pub(crate) link: Option<String>,
    /// Count only packets of the earlier `ping` or `send` with this `flow`.
    pub(crate) flow: Option<String>,
    /// True to count the products' probes as well. Default: false.
    #[serde(default)]
    pub(crate) probes: bool,
    /// How many. Default: ">= 1".
    pub(crate) packets: Option<Bound>,
    /// From when on packets count. Default: previous.
    #[serde(default)]
    pub(crate) since: Since,
}

/// A protocol of the outer header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// All of them.
    #[default]
    Any,
    /// Generic routing encapsulation, 47.
    Gre,
    /// 1.
    Icmp,
    /// 17.
    Udp,
    /// 6.
    Tcp,
}

/// From when on packets count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Since {
    /// The start of the last step that was no expectation and no snapshot.
    #[default]
    Previous,
    /// The start of the scenario.
    Start,
}

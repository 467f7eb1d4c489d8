//! Steps that send packets, and steps that look at them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Allowed, Bound, Duration, DurationBound, OneOrMany, Step};

/// A table with keys of its own and those that say which packets are sent.
macro_rules! with_packets {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)+
            /// Tunnel interface to send through. Default: what the routes say.
            #[serde(default)]
            pub(crate) via: Option<String>,
            /// Source address or reference. Default: what the routes say; of `send` the client's address in DoubleZero.
            #[serde(default)]
            pub(crate) source: Option<String>,
            /// How many are sent. Default: 3.
            #[serde(default)]
            pub(crate) count: Option<u16>,
            /// Between two of them. Default: 10ms.
            #[serde(default)]
            pub(crate) interval: Option<Duration>,
            /// Octets of data in each. Default: 56; of `send` 64.
            #[serde(default)]
            pub(crate) size: Option<u16>,
            /// A name for these packets, by which `expect_traffic` counts them alone. Default: none.
            #[serde(default)]
            pub(crate) flow: Option<String>,
        }

        impl $name {
            /// The part that says which packets are sent.
            pub(crate) fn packets(&self) -> Packets<'_> {
                let Self { via, source, flow, .. } = self;
                Packets {
                    via: via.as_deref(),
                    source: source.as_ref(),
                    count: self.count,
                    interval: self.interval,
                    size: self.size,
                    flow: flow.as_ref(),
                }
            }
        }
    };
}

/// Which packets a step sends; what is `None` is as usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packets<'a> {
    pub(crate) via: Option<&'a str>,
    pub(crate) source: Option<&'a String>,
    pub(crate) count: Option<u16>,
    pub(crate) interval: Option<Duration>,
    pub(crate) size: Option<u16>,
    pub(crate) flow: Option<&'a String>,
}

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

with_packets! {
    /// A ping.
    Ping {
        /// A client or a device.
        from: String,
        /// A device (the far end of the tunnel `via`, else its `public_ip`), a client (its address in DoubleZero), an address,
        /// or a reference such as `nyc1.endpoints.1`.
        to: String,
        /// True to forbid fragments. Default: false.
        #[serde(default)]
        dont_fragment: bool,
        /// How many answers must come. Default: one for each request.
        #[serde(default)]
        received: Option<Bound>,
        /// What every round trip must be like.
        #[serde(default)]
        rtt: Option<DurationBound>,
        /// The MTU that an ICMP "fragmentation needed" must report.
        #[serde(default)]
        too_big: Option<u16>,
    }
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

with_packets! {
    /// Datagrams.
    Send {
        /// A client.
        from: String,
        /// A group, a client (its address in DoubleZero), an address or a reference.
        to: String,
        /// Clients that get every datagram, or `all`. Default: the client it is sent to; for a group none.
        #[serde(default)]
        received_by: OneOrMany<String>,
        /// Clients that listen and get none, or `all`. Default: none.
        #[serde(default)]
        not_received_by: OneOrMany<String>,
        /// Wraps each datagram in GRE by hand and sends it past the tunnels, as somebody does who forges packets.
        #[serde(default)]
        gre: Option<Forged>,
        /// `allowed` where the path may double datagrams; else one that comes twice fails the step.
        #[serde(default)]
        duplicates: Option<Allowed>,
    }
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

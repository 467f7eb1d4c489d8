//! Packet counters, by cause.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::{Add, AddAssign, Sub};

use serde::Serialize;

/// Packets and their bytes, IP header included. A large segment counts as the packets it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { packets: self.packets - other.packets, bytes: self.bytes - other.bytes }
    }
}

/// What nodes handed to the fabric, and what of it reached its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Traffic {
    /// Handed to the fabric.
    pub sent: Tally,
    /// Handed to the receiver; copies included, and what is under way not yet.
    pub delivered: Tally,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { sent: self.sent - other.sent, delivered: self.delivered - other.delivered }
    }
}

/// Why a packet went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Another IP version, which the simulated internet does not carry.
    NotIpv4,
    /// A header that contradicts itself or its checksum.
    Malformed,
    /// A multicast, broadcast or otherwise not routable destination on the internet.
    NotUnicast,
    /// No node has the destination address; answered with ICMP net unreachable.
    NoRoute,
    /// The TTL ran out; answered with ICMP time exceeded.
    TtlExpired,
    /// Larger than the path's MTU and not to be fragmented; answered with ICMP fragmentation needed.
    TooBig,
    /// The path is unreachable; answered with ICMP host unreachable.
    Unreachable,
    /// The path is silent, a partition lies between sender and receiver, or one of these came, or the path became
    /// unreachable, while the packet was under way.
    Blocked,
    /// An uplink or link is down or not attached.
    LinkDown,
    /// Lost on the way, by the path's loss.
    Lost,
    /// The queue before the path's line was full.
    QueueFull,
    /// The fabric holds as many bytes as it may.
    OutOfMemory,
    /// A translator (NAT) knows no host behind it that it is for, or lets it not pass.
    NotTranslated,
    /// The receiving kernel did not take it.
    Refused,
}

impl fmt::Display for DropReason {
    /// The word of the counters' JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One direction between two nodes, by protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathCounters {
    /// Sending node; [`crate::INTERNET`] for ICMP errors of the internet's routers.
    pub from: String,
    /// Receiving node; [`crate::INTERNET`] for packets that never got that far.
    pub to: String,
    /// The backbone link; `None` is the internet.
    pub link: Option<String>,
    /// IP protocol number.
    pub protocol: u8,
    /// Handed to the fabric.
    pub sent: Tally,
    /// Handed to the receiver, copies included.
    pub delivered: Tally,
    /// Copies that the path's duplication made.
    pub duplicated: Tally,
    /// What routers added by cutting packets: fragments beyond the first, and the bytes of their headers.
    pub fragments: Tally,
    /// What went no further, by reason.
    pub dropped: BTreeMap<DropReason, Tally>,
    /// What is under way now.
    pub under_way: Tally,
}

/// Everything the fabric counted since it started, in the order of names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FabricCounters {
    /// By direction and protocol.
    pub paths: Vec<PathCounters>,
    /// Packets of flows beyond the number that is tracked: traffic queries miss these.
    pub untracked: Tally,
}

impl FabricCounters {
    /// The sum over all directions and protocols that `select` accepts.
    pub fn total(&self, select: impl Fn(&PathCounters) -> bool) -> Traffic {
        self.paths.iter().filter(|path| select(path)).fold(Traffic::default(), |mut sum, path| {
            sum += Traffic { sent: path.sent, delivered: path.delivered };
            sum
        })
    }

    /// What was dropped for `reason`, anywhere.
    pub fn dropped(&self, reason: DropReason) -> Tally {
        self.paths.iter().filter_map(|path| path.dropped.get(&reason)).fold(Tally::default(), |sum, tally| sum + *tally)
    }
}

/// Whose a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// A product measures or watches with it ([`dz_net::probe::TAG`]), or it answers such a packet.
    Probe,
    /// A flow that its sender has marked.
    Flow(FlowNumber),
    /// Anything else.
    Other,
}

/// The number of a flow, which its packets carry as a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowNumber(u16);

impl FlowNumber {
    /// How a mark begins.
    const MARK: [u8; 6] = *b"dzflow";

    /// A flow.
    pub fn new(number: u16) -> Self {
        Self(number)
    }

    /// The mark; it stands in the payload at [`dz_net::probe::TAG_OFFSET`].
    pub fn tag(self) -> [u8; 8] {
        let [m0, m1, m2, m3, m4, m5] = Self::MARK;
        let [high, low] = self.0.to_be_bytes();
        [m0, m1, m2, m3, m4, m5, high, low]
    }

    /// The flow of a mark; `None` if it is none.
    pub(crate) fn from_tag(tag: [u8; 8]) -> Option<Self> {
        let [mark @ .., high, low] = tag;
        (mark == Self::MARK).then(|| Self(u16::from_be_bytes([high, low])))
    }
}

/// Whose packets a traffic query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purposes {
    /// Everybody's.
    #[default]
    All,
    /// All but probes.
    NoProbes,
    /// Those of one flow.
    Flow(FlowNumber),
}

impl Purposes {
    /// Whether it is about a packet of that purpose.
    pub fn admit(self, purpose: Purpose) -> bool {
        match self {
            Self::All => true,
            Self::NoProbes => purpose != Purpose::Probe,
            Self::Flow(flow) => purpose == Purpose::Flow(flow),
        }
    }
}

/// Which packets a traffic query is about; what is `None` matches all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrafficFilter {
    /// Sending node.
    pub from: Option<String>,
    /// Source address of the outer header.
    pub source: Option<Ipv4Addr>,
    /// Destination address of the outer header.
    pub destination: Option<Ipv4Addr>,
    /// IP protocol number of the outer header.
    pub protocol: Option<u8>,
    /// Source address inside GRE.
    pub inner_source: Option<Ipv4Addr>,
    /// Destination address inside GRE.
    pub inner_destination: Option<Ipv4Addr>,
    /// Where the packets went.
    pub medium: Option<Medium>,
    /// Whose they are.
    pub purposes: Purposes,
}

/// What packets travel over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Medium {
    /// The simulated internet.
    Internet,
    /// The backbone link of this name.
    Link(String),
}

/// A pair of outer addresses that GRE packets were seen with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GrePair {
    /// Outer source.
    pub source: Ipv4Addr,
    /// Outer destination.
    pub destination: Ipv4Addr,
}

//! The engine without input or output: packets and the time go in, packets come out when they are due, and every one
//! is counted. Knows no file descriptor, no thread and no clock; all randomness comes from the seed.
//!
//! Every direction has a random sequence of its own, drawn from the seed and the names of its ends, so that traffic
//! between two nodes never changes what happens between two others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::counters::{DropReason, Tally};
use crate::geo::{Geography, Position};
use crate::packet::icmp::{self, IcmpError};
use crate::packet::ipv4::{self, Ipv4, NotIpv4};
use crate::packet::{OnWire, Packet, fragment, merge, segment};
use crate::profile::{PathProfile, Reach};

pub(crate) mod config;
pub(crate) mod flow;
pub(crate) mod path;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod route;
#[cfg(test)]
mod tests;

use flow::{FlowId, FlowKey, Flows};
use path::{Direction, Fate};
use queue::{Queue, UnderWay};
use report::ProtocolCounters;
use route::Routes;

/// A node, by the order of first mention; the same name is the same node for good, also after a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    /// The internet itself: its routers as senders, and where packets end that reach nobody.
    pub(crate) const INTERNET: Self = Self(0);
}

/// A backbone link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub(crate) u32);

/// Where packets enter and leave: the uplink of a node or an end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortId(pub(crate) u32);

/// One direction between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathId(u32);

/// A rule about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct RuleId(u32);

impl RuleId {
    const NONE: Self = Self(0);
}

#[derive(Debug, Clone, Copy)]
enum PortOwner {
    Uplink(NodeId),
    LinkEnd(LinkId, usize),
}

#[derive(Debug)]
struct Node {
    name: String,
    port: PortId,
    attached: bool,
    up: bool,
    position: Option<Position>,
}

#[derive(Debug)]
struct Link {
    name: String,
    ends: [NodeId; 2],
    ports: [PortId; 2],
    /// The direction that starts at each end.
    paths: [PathId; 2],
    attached: bool,
    up: bool,
}

#[derive(Debug)]
struct Path {
    from: NodeId,
    to: NodeId,
    link: Option<LinkId>,
    rule: RuleId,
    blocked: bool,
    direction: Direction,
    counters: Vec<(u8, ProtocolCounters)>,
}

/// What the core is built from.
#[derive(Debug, Clone)]
pub(crate) struct CoreConfig {
    pub(crate) seed: u64,
    pub(crate) router: Ipv4Addr,
    pub(crate) max_bytes: usize,
    pub(crate) max_flows: usize,
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Core {
    config: CoreConfig,
    nodes: Vec<Node>,
    node_names: BTreeMap<String, NodeId>,
    links: Vec<Link>,
    link_names: BTreeMap<String, LinkId>,
    ports: Vec<PortOwner>,
    /// Ports whose device can be given large segments.
    takes_merged: HashSet<PortId>,
    routes: Routes,
    default_profile: Arc<PathProfile>,
    geography: Option<Geography>,
    /// What geography makes of the default, by delay: paths between the same places share it.
    distant_profiles: BTreeMap<Duration, Arc<PathProfile>>,
    pair_profiles: BTreeMap<(NodeId, NodeId), Arc<PathProfile>>,
    /// By sender (`None` is any) and destination prefix.
    rules: BTreeMap<(Option<NodeId>, u32, u8), RuleId>,
    /// By the rule's number; `None` where the rule was lifted, and for the rule that is none.
    rule_profiles: Vec<Option<Arc<PathProfile>>>,
    rule_lengths: BTreeSet<u8>,
    blocked: BTreeSet<(NodeId, NodeId)>,
    paths: Vec<Path>,
    path_index: HashMap<(NodeId, NodeId, RuleId), PathId>,
    flows: Flows,
    queue: Queue,
    version: u64,
}

/// Why a packet goes no further, and what its sender is told.
struct Refusal {
    reason: DropReason,
    answer: Option<IcmpError>,
}

impl Refusal {
    fn silent(reason: DropReason) -> Self {
        Self { reason, answer: None }
    }
}

/// A packet that is about to enter a path.
struct Entering {
    path: PathId,
    port: PortId,
    flow: FlowId,
    ip: Ipv4,
    wire: OnWire,
}

impl Core {
    /// Takes a packet that came in at `port` at `now`.
    pub(crate) fn receive(&mut self, now: u64, port: PortId, mut packet: Packet) {
        self.version += 1;
        let owner = self.ports[port.0 as usize];
        let from = match owner {
            PortOwner::Uplink(node) => node,
            PortOwner::LinkEnd(link, end) => self.links[link.0 as usize].ends[end],
        };
        let ip = match Ipv4::parse(&packet.bytes) {
            Ok(ip) => ip,
            Err(why) => return self.count_unreadable(owner, from, packet.bytes.len(), why),
        };
        packet.bytes.truncate(usize::from(ip.total_len));
        let wire = packet.on_wire(&ip);
        let link = match owner {
            PortOwner::Uplink(_) => None,
            PortOwner::LinkEnd(link, _) => Some(link),
        };
        let key = FlowKey {
            from,
            link,
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            inner: ipv4::gre_inner(&packet.bytes, &ip),
        };
        let flow = self.flows.sent(key, tally(wire));
        match owner {
            PortOwner::Uplink(node) => self.route(now, node, flow, ip, wire, packet),
            PortOwner::LinkEnd(link, end) => {
                let link = &self.links[link.0 as usize];
                let entering = Entering { path: link.paths[end], port: link.ports[1 - end], flow, ip, wire };
                let result = if link.up { Ok(()) } else { Err(Refusal::silent(DropReason::LinkDown)) };
                self.counters(entering.path, ip.protocol).sent += tally(wire);
                match result {
                    Ok(()) => self.enter(now, &entering, packet),
                    Err(refusal) => self.refuse(now, &entering, &refusal, &packet, None),
                }
            }
        }
    }

    /// Hands packets that are due at `now`, at most `limit`, to `take`, which says whether the receiver took each.
    /// Returns how many were due.
    pub(crate) fn deliver(
        &mut self,
        now: u64,
        limit: usize,
        mut take: impl FnMut(PortId, &mut Packet) -> bool,
    ) -> usize {
        for count in 0..limit {
            let Some((_, mut item)) = self.queue.pop_due(now) else { return count };
            self.version += 1;
            let refused = if !self.is_up(item.port) {
                Some(DropReason::LinkDown)
            } else if self.paths[item.path.0 as usize].blocked {
                Some(DropReason::Blocked)
            } else {
                self.merge_due(now, &mut item);
                if take(item.port, &mut item.packet) { None } else { Some(DropReason::Refused) }
            };
            let tally = tally(item.wire);
            if refused.is_none() {
                self.flows.delivered(item.flow, tally);
            }
            let counters = self.counters(item.path, item.protocol);
            match refused {
                None => counters.delivered += tally,
                Some(reason) => counters.drop(reason, tally),
            }
        }
        limit
    }

    /// Joins packets that are due with `item`, right behind it in the same stream, to it.
    fn merge_due(&mut self, now: u64, item: &mut UnderWay) {
        if item.protocol != ipv4::TCP || !self.takes_merged.contains(&item.port) {
            return;
        }
        while let Some(next) = self.queue.peek_due(now)
            && (next.port, next.path, next.flow) == (item.port, item.path, item.flow)
            && merge::merge(&mut item.packet, &next.packet)
        {
            let Some((_, next)) = self.queue.pop_due(now) else { return };
            item.wire.packets += next.wire.packets;
            item.wire.bytes += next.wire.bytes;
        }
    }

    /// When the next packet is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.queue.next()
    }

    /// A number that grows with every packet.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Forwards a packet of `from` over the internet.
    fn route(&mut self, now: u64, from: NodeId, flow: FlowId, ip: Ipv4, wire: OnWire, mut packet: Packet) {
        let to = self.routes.lookup(ip.destination);
        let path = match to {
            Some(to) => self.path_for(from, to, ip.destination),
            None => self.path(from, NodeId::INTERNET, RuleId::NONE),
        };
        let port = self.nodes[to.unwrap_or(from).0 as usize].port;
        let entering = Entering { path, port, flow, ip, wire };
        self.counters(path, ip.protocol).sent += tally(wire);
        match self.first_router(from, to, &ip) {
            Ok(()) => {
                let original = entering.ip;
                ipv4::decrement_ttl(&mut packet.bytes);
                let ip = Ipv4 { ttl: original.ttl - 1, ..original };
                self.enter(now, &Entering { ip, ..entering }, packet);
            }
            Err(refusal) => self.refuse(now, &entering, &refusal, &packet, Some(from)),
        }
    }

    /// What the first router of the internet checks.
    fn first_router(&self, from: NodeId, to: Option<NodeId>, ip: &Ipv4) -> Result<(), Refusal> {
        let answered = |reason, answer| Err(Refusal { reason, answer: Some(answer) });
        if !self.nodes[from.0 as usize].up {
            return Err(Refusal::silent(DropReason::LinkDown));
        }
        if !icmp::is_unicast(ip.destination) {
            return Err(Refusal::silent(DropReason::NotUnicast));
        }
        if ip.ttl <= 1 {
            return answered(DropReason::TtlExpired, IcmpError::TimeExceeded);
        }
        if to.is_none() {
            return answered(DropReason::NoRoute, IcmpError::NetUnreachable);
        }
        Ok(())
    }

    /// Sends a packet into its path, in one piece or as many as the path needs.
    fn enter(&mut self, now: u64, entering: &Entering, packet: Packet) {
        let path = &self.paths[entering.path.0 as usize];
        let profile = Arc::clone(path.direction.profile());
        // Links are wires: nobody on them writes ICMP or cuts packets.
        let router_for = if path.link.is_none() { Some(path.from) } else { None };
        let too_big = profile.mtu.filter(|mtu| entering.wire.largest > u32::from(*mtu));
        let refusal = match (path.blocked, profile.reach) {
            (true, _) | (false, Reach::Silent) => Some(Refusal::silent(DropReason::Blocked)),
            (false, Reach::Unreachable) => {
                Some(Refusal { reason: DropReason::Unreachable, answer: Some(IcmpError::HostUnreachable) })
            }
            (false, Reach::Open) => too_big.filter(|_| entering.ip.dont_fragment || router_for.is_none()).map(|mtu| {
                Refusal { reason: DropReason::TooBig, answer: Some(IcmpError::FragmentationNeeded { mtu }) }
            }),
        };
        if let Some(refusal) = refusal {
            return self.refuse(now, entering, &refusal, &packet, router_for);
        }
        if too_big.is_none() && (entering.wire.packets == 1 || profile.treats_alike()) {
            return self.send(now, entering, entering.wire, packet);
        }
        for part in segment::segment(packet, &entering.ip) {
            match profile.mtu.filter(|mtu| part.bytes.len() > usize::from(*mtu)) {
                None => self.send(now, entering, whole(&part), part),
                Some(mtu) => self.send_fragments(now, entering, part, mtu),
            }
        }
    }

    fn send_fragments(&mut self, now: u64, entering: &Entering, mut packet: Packet, mtu: u16) {
        // No device can complete a checksum over several packets.
        packet.complete_checksum();
        let Ok(ip) = Ipv4::parse(&packet.bytes) else { return };
        let fragments = fragment::fragment(&packet.bytes, &ip, mtu);
        let bytes: usize = fragments.iter().map(Vec::len).sum();
        self.counters(entering.path, ip.protocol).fragments +=
            Tally { packets: fragments.len() as u64 - 1, bytes: bytes as u64 - u64::from(ip.total_len) };
        for bytes in fragments {
            let packet = Packet::plain(bytes);
            self.send(now, entering, whole(&packet), packet);
        }
    }

    /// Lets the path decide on one packet.
    fn send(&mut self, now: u64, entering: &Entering, wire: OnWire, packet: Packet) {
        let protocol = entering.ip.protocol;
        if self.queue.bytes() + packet.bytes.len() > self.config.max_bytes {
            return self.counters(entering.path, protocol).drop(DropReason::OutOfMemory, tally(wire));
        }
        let fate = self.paths[entering.path.0 as usize].direction.send(now, wire.bytes);
        let (at, copy) = match fate {
            Fate::Arrives { at, copy } => (at, copy),
            Fate::Lost => return self.counters(entering.path, protocol).drop(DropReason::Lost, tally(wire)),
            Fate::QueueFull => {
                return self.counters(entering.path, protocol).drop(DropReason::QueueFull, tally(wire));
            }
        };
        let Entering { port, path, flow, .. } = *entering;
        if let Some(copy_at) = copy {
            self.counters(path, protocol).duplicated += tally(wire);
            let copy = UnderWay { port, path, flow, protocol, wire, packet: packet.clone() };
            self.queue.push(at, UnderWay { port, path, flow, protocol, wire, packet });
            self.queue.push(copy_at, copy);
        } else {
            self.queue.push(at, UnderWay { port, path, flow, protocol, wire, packet });
        }
    }

    /// Counts a packet as dropped, and tells `sender` why if it is to be told.
    fn refuse(&mut self, now: u64, entering: &Entering, refusal: &Refusal, packet: &Packet, sender: Option<NodeId>) {
        self.counters(entering.path, entering.ip.protocol).drop(refusal.reason, tally(entering.wire));
        let (Some(kind), Some(sender)) = (refusal.answer, sender) else { return };
        let Some(bytes) = icmp::error(kind, self.config.router, &packet.bytes, &entering.ip) else { return };
        let packet = Packet::plain(bytes);
        let wire = whole(&packet);
        let path = self.path(NodeId::INTERNET, sender, RuleId::NONE);
        let flow = self.flows.sent(
            FlowKey {
                from: NodeId::INTERNET,
                link: None,
                source: self.config.router,
                destination: entering.ip.source,
                protocol: ipv4::ICMP,
                inner: None,
            },
            tally(wire),
        );
        self.counters(path, ipv4::ICMP).sent += tally(wire);
        let port = self.nodes[sender.0 as usize].port;
        self.queue.push(now, UnderWay { port, path, flow, protocol: ipv4::ICMP, wire, packet });
    }

    fn count_unreadable(&mut self, owner: PortOwner, from: NodeId, bytes: usize, why: NotIpv4) {
        let path = match owner {
            PortOwner::Uplink(_) => self.path(from, NodeId::INTERNET, RuleId::NONE),
            PortOwner::LinkEnd(link, end) => self.links[link.0 as usize].paths[end],
        };
        let reason = match why {
            NotIpv4::Version(_) => DropReason::NotIpv4,
            NotIpv4::Truncated | NotIpv4::HeaderLength | NotIpv4::Checksum | NotIpv4::BeyondEnd => {
                DropReason::Malformed
            }
        };
        let tally = Tally { packets: 1, bytes: bytes as u64 };
        let counters = self.counters(path, 0);
        counters.sent += tally;
        counters.drop(reason, tally);
    }

    fn is_up(&self, port: PortId) -> bool {
        match self.ports[port.0 as usize] {
            PortOwner::Uplink(node) => {
                let node = &self.nodes[node.0 as usize];
                node.attached && node.up
            }
            PortOwner::LinkEnd(link, _) => {
                let link = &self.links[link.0 as usize];
                link.attached && link.up
            }
        }
    }

    fn counters(&mut self, path: PathId, protocol: u8) -> &mut ProtocolCounters {
        let counters = &mut self.paths[path.0 as usize].counters;
        let at = counters.iter().position(|(of, _)| *of == protocol).unwrap_or_else(|| {
            counters.push((protocol, ProtocolCounters::default()));
            counters.len() - 1
        });
        &mut counters[at].1
    }
}

fn tally(wire: OnWire) -> Tally {
    Tally { packets: wire.packets, bytes: wire.bytes }
}

/// What a packet amounts to that stands for itself alone.
fn whole(packet: &Packet) -> OnWire {
    OnWire { packets: 1, bytes: packet.bytes.len() as u64, largest: packet.bytes.len() as u32 }
}

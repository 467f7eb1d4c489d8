//! The sans-I/O engine: packets and the time go in, packets come out when they are due, and every one
//! is counted. Knows no file descriptor, no thread and no clock; all randomness comes from the seed.
//!
//! Every direction has a random sequence of its own, drawn from the seed and the names of its ends, so that traffic
//! between two nodes never changes what happens between two others.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;

use crate::counters::{DropReason, Tally};
use crate::packet::ipv4::{self, DecodeError, NotIpv4};
use crate::packet::purpose::purpose;
use crate::packet::{OnWire, Packet, merge};

mod config;
pub(crate) mod flow;
mod forward;
mod link;
mod node;
mod path;
mod paths;
mod queue;
mod report;
mod route;
#[cfg(test)]
mod tests;
mod translate;

use flow::{FlowKey, Flows};
use forward::{Entering, Refusal};
use link::Link;
use node::Nodes;
use paths::{Paths, RuleId};
use queue::{Queue, UnderWay};
use report::ProtocolCounters;
use route::Routes;
use translate::Translators;

pub use translate::NatFilter;

/// A node, by the order of first mention; the same name is the same node for good, also after a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    /// The internet itself: its routers as senders, and where undeliverable packets end.
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

#[derive(Debug, Clone, Copy)]
enum PortOwner {
    Uplink(NodeId),
    LinkEnd(LinkId, usize),
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
    nodes: Nodes,
    links: Vec<Link>,
    link_names: BTreeMap<String, LinkId>,
    ports: Vec<PortOwner>,
    /// Ports whose device can be given large segments.
    takes_merged: HashSet<PortId>,
    routes: Routes,
    translators: Translators,
    paths: Paths,
    flows: Flows,
    queue: Queue,
    /// The most that a packet was late.
    latest_ns: u64,
    version: u64,
    /// Why the packet that was last received, or a part of it, went nowhere.
    dropped: Option<DropReason>,
}

impl Core {
    /// Takes a packet that came in at `port` at `now`. Returns why it, or the last part of it that was dropped, does not
    /// even set out.
    pub(crate) fn receive(&mut self, now: u64, port: PortId, packet: Packet) -> Option<DropReason> {
        self.version += 1;
        self.dropped = None;
        match self.ports[port.0 as usize] {
            PortOwner::Uplink(node) if self.translators.is_behind(node) => {
                self.translate_outward(now, node, port, packet);
            }
            PortOwner::Uplink(_) | PortOwner::LinkEnd(..) => self.take(now, port, packet),
        }
        self.dropped
    }

    /// Takes a packet as it is on the wire.
    fn take(&mut self, now: u64, port: PortId, mut packet: Packet) {
        let owner = self.ports[port.0 as usize];
        let from = match owner {
            PortOwner::Uplink(node) => node,
            PortOwner::LinkEnd(link, end) => self.links[link.0 as usize].ends[end],
        };
        let ip = match ipv4::parse(&packet.bytes) {
            Ok(ip) => ip,
            Err(why) => return self.count_unreadable(owner, from, packet.bytes.len(), why),
        };
        packet.bytes.truncate(usize::from(ip.total_length));
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
            purpose: purpose(&packet.bytes),
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
            let Some((due, mut item)) = self.queue.pop_due(now) else { return count };
            self.version += 1;
            self.latest_ns = self.latest_ns.max(now - due);
            let refused = if !self.is_up(item.port) {
                Some(DropReason::LinkDown)
            } else if self.paths[item.path].is_cut(item.protocol) {
                Some(DropReason::Blocked)
            } else {
                self.merge_due(now, &mut item);
                if !self.translate_at(now, item.port, &mut item.packet) {
                    Some(DropReason::NotTranslated)
                } else if take(item.port, &mut item.packet) {
                    None
                } else {
                    Some(DropReason::Refused)
                }
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

    /// By how much the packet that was delivered the latest after it was due was late, of those since this was last
    /// asked, in nanoseconds.
    pub(crate) fn take_latest_ns(&mut self) -> u64 {
        std::mem::take(&mut self.latest_ns)
    }

    /// A number that grows with every packet.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    fn count_unreadable(&mut self, owner: PortOwner, from: NodeId, bytes: usize, why: NotIpv4) {
        let path = match owner {
            PortOwner::Uplink(_) => self.paths.between(&self.nodes, from, NodeId::INTERNET, RuleId::NONE),
            PortOwner::LinkEnd(link, end) => self.links[link.0 as usize].paths[end],
        };
        let reason = match why {
            NotIpv4::Header(DecodeError::Version(_)) => DropReason::NotIpv4,
            NotIpv4::Header(_) | NotIpv4::BeyondEnd => DropReason::Malformed,
        };
        let tally = Tally { packets: 1, bytes: bytes as u64 };
        self.counters(path, 0).sent += tally;
        self.drop(path, 0, reason, tally);
    }

    /// Counts packets that do not enter their path.
    fn drop(&mut self, path: PathId, protocol: u8, reason: DropReason, tally: Tally) {
        self.dropped = Some(reason);
        self.counters(path, protocol).drop(reason, tally);
    }

    fn is_up(&self, port: PortId) -> bool {
        match self.ports[port.0 as usize] {
            PortOwner::Uplink(node) => {
                let node = self.nodes.get(node);
                node.attached && node.up
            }
            PortOwner::LinkEnd(link, _) => {
                let link = &self.links[link.0 as usize];
                link.attached && link.up
            }
        }
    }

    fn counters(&mut self, path: PathId, protocol: u8) -> &mut ProtocolCounters {
        self.paths[path].counters_mut(protocol)
    }
}

fn tally(wire: OnWire) -> Tally {
    Tally { packets: wire.packets, bytes: wire.bytes }
}

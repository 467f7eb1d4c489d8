//! Forwarding of a packet from its port to its path: the first router's checks, fragmentation, and
//! ICMP errors to the sender.

use std::sync::Arc;

use dz_net::wire::fragment::fragment;
use dz_net::wire::icmp::{Error, error_packet};

use super::flow::{FlowId, FlowKey};
use super::path::Fate;
use super::paths::RuleId;
use super::queue::UnderWay;
use super::{Core, NodeId, PathId, PortId, PortOwner, tally};
use crate::counters::{DropReason, Tally};
use crate::packet::ipv4::{self, Header};
use crate::packet::purpose::purpose;
use crate::packet::{OnWire, Packet, segment};
use crate::profile::Reach;

/// Why a packet is dropped, and the ICMP error to its sender.
pub(super) struct Refusal {
    reason: DropReason,
    answer: Option<Error>,
}

impl Refusal {
    pub(super) fn silent(reason: DropReason) -> Self {
        Self { reason, answer: None }
    }
}

/// A packet that is about to enter a path.
pub(super) struct Entering {
    pub(super) path: PathId,
    pub(super) port: PortId,
    pub(super) flow: FlowId,
    pub(super) ip: Header,
    pub(super) wire: OnWire,
}

impl Core {
    /// Takes a packet of a node behind a translator, as the translator sends it on.
    pub(super) fn translate_outward(&mut self, now: u64, node: NodeId, port: PortId, packet: Packet) {
        let Ok(ip) = ipv4::parse(&packet.bytes) else { return self.take(now, port, packet) };
        for mut part in in_parts(packet, &ip) {
            let Ok(ip) = ipv4::parse(&part.bytes) else { continue };
            if self.translators.outward(now, node, &ip, &mut part.bytes) {
                part.recorded = false;
                self.take(now, port, part);
            } else {
                let path = self.paths.between(&self.nodes, node, NodeId::INTERNET, RuleId::NONE);
                self.counters(path, ip.protocol).sent += tally(whole(&part));
                self.drop(path, ip.protocol, DropReason::NotTranslated, tally(whole(&part)));
            }
        }
    }

    /// Gives a packet that arrives at the uplink of a node behind a translator that node's address; false if none is behind
    /// it for whom it is.
    pub(super) fn translate_at(&mut self, now: u64, port: PortId, packet: &mut Packet) -> bool {
        match self.ports[port.0 as usize] {
            PortOwner::Uplink(node) if self.translators.is_behind(node) => {
                packet.recorded = false;
                ipv4::parse(&packet.bytes)
                    .is_ok_and(|ip| self.translators.inward(now, &ip, &mut packet.bytes) == Some(node))
            }
            PortOwner::Uplink(_) | PortOwner::LinkEnd(..) => true,
        }
    }

    /// Forwards a packet of `from` over the internet.
    pub(super) fn route(&mut self, now: u64, from: NodeId, flow: FlowId, ip: Header, wire: OnWire, packet: Packet) {
        if !self.translators.has(ip.destination) {
            let to = self.routes.lookup(ip.destination);
            return self.route_to(now, from, to, flow, ip, wire, packet);
        }
        // Who is behind the translator is found out here, so that the packet takes the path to it; it gets that host's
        // address where it arrives.
        for part in in_parts(packet, &ip) {
            let Ok(ip) = ipv4::parse(&part.bytes) else { continue };
            let to = self.translators.inward(now, &ip, &mut part.bytes.clone());
            let wire = whole(&part);
            match to {
                Some(_) => self.route_to(now, from, to, flow, ip, wire, part),
                None => {
                    let path = self.paths.between(&self.nodes, from, NodeId::INTERNET, RuleId::NONE);
                    self.counters(path, ip.protocol).sent += tally(wire);
                    self.drop(path, ip.protocol, DropReason::NotTranslated, tally(wire));
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what is known of a packet on its way")]
    fn route_to(
        &mut self,
        now: u64,
        from: NodeId,
        to: Option<NodeId>,
        flow: FlowId,
        ip: Header,
        wire: OnWire,
        mut packet: Packet,
    ) {
        let path = match to {
            Some(to) => self.paths.toward(&self.nodes, from, to, ip.destination),
            None => self.paths.between(&self.nodes, from, NodeId::INTERNET, RuleId::NONE),
        };
        let port = self.nodes.get(to.unwrap_or(from)).port;
        let entering = Entering { path, port, flow, ip, wire };
        self.counters(path, ip.protocol).sent += tally(wire);
        match self.first_router(from, to, &ip) {
            Ok(()) => {
                let original = entering.ip;
                ipv4::decrement_ttl(&mut packet.bytes);
                let ip = Header { ttl: original.ttl - 1, ..original };
                self.enter(now, &Entering { ip, ..entering }, packet);
            }
            Err(refusal) => self.refuse(now, &entering, &refusal, &packet, Some(from)),
        }
    }

    /// What the first router of the internet checks.
    fn first_router(&self, from: NodeId, to: Option<NodeId>, ip: &Header) -> Result<(), Refusal> {
        let answered = |reason, answer| Err(Refusal { reason, answer: Some(answer) });
        if !self.nodes.get(from).up {
            return Err(Refusal::silent(DropReason::LinkDown));
        }
        if !ipv4::is_unicast(ip.destination) {
            return Err(Refusal::silent(DropReason::NotUnicast));
        }
        if ip.ttl <= 1 {
            return answered(DropReason::TtlExpired, Error::TimeExceeded);
        }
        if to.is_none() {
            return answered(DropReason::NoRoute, Error::Unreachable(0));
        }
        Ok(())
    }

    /// Sends a packet into its path, in one piece or as many as the path needs.
    pub(super) fn enter(&mut self, now: u64, entering: &Entering, packet: Packet) {
        let path = &self.paths[entering.path];
        let profile = Arc::clone(path.profile(entering.ip.protocol));
        // Links are wires: nobody on them writes ICMP or cuts packets.
        let router_for = if path.link.is_none() { Some(path.from) } else { None };
        let too_big = profile.mtu.filter(|mtu| entering.wire.largest > u32::from(*mtu));
        let refusal = match (path.blocked, profile.reach) {
            (true, _) | (false, Reach::Silent) => Some(Refusal::silent(DropReason::Blocked)),
            (false, Reach::Unreachable) => {
                Some(Refusal { reason: DropReason::Unreachable, answer: Some(Error::Unreachable(1)) })
            }
            (false, Reach::Open) => {
                too_big.filter(|_| entering.ip.dont_fragment() || router_for.is_none()).map(|mtu| {
                    let answer = Error::FragmentationNeeded(mtu);
                    Refusal { reason: DropReason::TooBig, answer: (!profile.black_hole).then_some(answer) }
                })
            }
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
        let recorded = packet.recorded;
        let Ok(ip) = ipv4::parse(&packet.bytes) else { return };
        let fragments = fragment(&packet.bytes, &ip, mtu.into());
        let bytes: usize = fragments.iter().map(Vec::len).sum();
        self.counters(entering.path, ip.protocol).fragments +=
            Tally { packets: fragments.len() as u64 - 1, bytes: bytes as u64 - u64::from(ip.total_length) };
        for bytes in fragments {
            let packet = Packet { recorded, ..Packet::plain(bytes) };
            self.send(now, entering, whole(&packet), packet);
        }
    }

    /// Lets the path decide on one packet.
    fn send(&mut self, now: u64, entering: &Entering, wire: OnWire, packet: Packet) {
        let protocol = entering.ip.protocol;
        if self.queue.bytes() + packet.bytes.len() > self.config.max_bytes {
            return self.drop(entering.path, protocol, DropReason::OutOfMemory, tally(wire));
        }
        let fate = self.paths[entering.path].send(now, protocol, wire.bytes);
        let (at, copy) = match fate {
            Fate::Arrives { at, copy } => (at, copy),
            Fate::Lost => return self.drop(entering.path, protocol, DropReason::Lost, tally(wire)),
            Fate::QueueFull => return self.drop(entering.path, protocol, DropReason::QueueFull, tally(wire)),
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

    /// Counts a packet as dropped, and sends `sender` an ICMP error if one is due.
    pub(super) fn refuse(
        &mut self,
        now: u64,
        entering: &Entering,
        refusal: &Refusal,
        packet: &Packet,
        sender: Option<NodeId>,
    ) {
        self.drop(entering.path, entering.ip.protocol, refusal.reason, tally(entering.wire));
        let (Some(kind), Some(sender)) = (refusal.answer, sender) else { return };
        if !ipv4::is_unicast(entering.ip.source) {
            return;
        }
        let Some(bytes) = error_packet(self.config.router, kind, &packet.bytes) else { return };
        let packet = Packet::plain(bytes);
        let wire = whole(&packet);
        let path = self.paths.between(&self.nodes, NodeId::INTERNET, sender, RuleId::NONE);
        let flow = self.flows.sent(
            FlowKey {
                from: NodeId::INTERNET,
                link: None,
                source: self.config.router,
                destination: entering.ip.source,
                protocol: ipv4::ICMP,
                inner: None,
                purpose: purpose(&packet.bytes),
            },
            tally(wire),
        );
        self.counters(path, ipv4::ICMP).sent += tally(wire);
        let port = self.nodes.get(sender).port;
        self.queue.push(now, UnderWay { port, path, flow, protocol: ipv4::ICMP, wire, packet });
    }
}

/// A packet as those that go over the wire, each with its checksums.
fn in_parts(packet: Packet, ip: &Header) -> Vec<Packet> {
    let mut parts: Vec<Packet> = match packet.offload.segments {
        Some(_) => segment::segment(packet, ip),
        None => vec![packet],
    };
    parts.iter_mut().for_each(Packet::complete_checksum);
    parts
}

/// What a packet amounts to that stands for itself alone.
fn whole(packet: &Packet) -> OnWire {
    OnWire { packets: 1, bytes: packet.bytes.len() as u64, largest: packet.bytes.len() as u32 }
}

//! Translators (NAT, RFC 4787): hosts that share one address of the internet.
//!
//! A translator gives each port of a host behind it one port of its own (endpoint-independent mapping) and lets back in
//! what its filter admits. GRE has no ports: the first host that sends GRE to an address gets all GRE from there, and
//! for as long as it is not silent for [`IDLE_NS`] nobody else behind the translator can.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;

use dz_net::wire::checksum::updated;
use dz_net::wire::icmp;

use super::NodeId;
use crate::packet::ipv4::{self, Header};

/// How long a mapping lasts that nothing uses.
const IDLE_NS: u64 = 30_000_000_000;
/// The first port that is given to a host whose own is taken.
const FIRST_PORT: u16 = 1024;

/// Which packets of the internet a translator lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatFilter {
    /// Those for a mapped port, from any sender (full cone).
    FullCone,
    /// Those of an address and port to which the mapped port has sent (port restricted cone).
    PortRestricted,
}

/// A port of one protocol, or the identifier of an ICMP echo.
type Port = (u8, u16);

#[derive(Debug)]
struct Mapping {
    node: NodeId,
    port: u16,
    /// Whom it has sent to.
    spoken: BTreeSet<(Ipv4Addr, u16)>,
    used: u64,
}

#[derive(Debug)]
struct Translator {
    filter: NatFilter,
    /// The addresses of the hosts behind it.
    inside: BTreeMap<NodeId, Ipv4Addr>,
    /// By the port outside.
    mappings: BTreeMap<Port, Mapping>,
    /// Who gets the GRE of an address, and when it was last used.
    gre: BTreeMap<Ipv4Addr, (NodeId, u64)>,
}

/// All translators, by their addresses.
#[derive(Debug, Default)]
pub(super) struct Translators {
    by_address: BTreeMap<Ipv4Addr, Translator>,
    of: HashMap<NodeId, Ipv4Addr>,
}

impl Translators {
    /// Puts a host behind the translator of an address; the first one decides on its filter.
    pub(super) fn put_behind(&mut self, node: NodeId, inside: Ipv4Addr, outside: Ipv4Addr, filter: NatFilter) {
        let new = || Translator { filter, inside: BTreeMap::new(), mappings: BTreeMap::new(), gre: BTreeMap::new() };
        self.by_address.entry(outside).or_insert_with(new).inside.insert(node, inside);
        self.of.insert(node, outside);
    }

    /// Whether an address is a translator's.
    pub(super) fn has(&self, address: Ipv4Addr) -> bool {
        self.by_address.contains_key(&address)
    }

    /// Whether a host is behind one.
    pub(super) fn is_behind(&self, node: NodeId) -> bool {
        self.of.contains_key(&node)
    }

    /// Gives a packet that leaves `node` the address of its translator; false if it lets it not out. `bytes` are whole,
    /// with their checksums.
    pub(super) fn outward(&mut self, now: u64, node: NodeId, ip: &Header, bytes: &mut [u8]) -> bool {
        let Some(outside) = self.of.get(&node).copied() else { return true };
        let Some(translator) = self.by_address.get_mut(&outside) else { return false };
        translator.inside.get(&node) == Some(&ip.source) && translator.outward(now, node, outside, ip, bytes)
    }

    /// Gives a packet for the address of a translator that of a host behind it, and returns which; none if it lets it not
    /// in.
    pub(super) fn inward(&mut self, now: u64, ip: &Header, bytes: &mut [u8]) -> Option<NodeId> {
        self.by_address.get_mut(&ip.destination)?.inward(now, ip, bytes)
    }
}

impl Translator {
    fn outward(&mut self, now: u64, node: NodeId, outside: Ipv4Addr, ip: &Header, bytes: &mut [u8]) -> bool {
        let remote = ip.destination;
        match ip.protocol {
            ipv4::GRE => {
                let holder = self.gre.entry(remote).or_insert((node, now));
                if holder.0 != node && now - holder.1 < IDLE_NS {
                    return false;
                }
                *holder = (node, now);
            }
            ipv4::ICMP if error(ip, bytes) => {
                if self.error_outward(node, outside, ip, bytes).is_none() {
                    return false;
                }
            }
            _ => {
                let Some((ours, theirs)) = ports(ip, bytes, true) else { return false };
                let port = self.port(now, node, (ip.protocol, ours));
                let Some(mapping) = self.mappings.get_mut(&(ip.protocol, port)) else { return false };
                mapping.spoken.insert((remote, theirs));
                mapping.used = now;
                set_port(ip, bytes, true, port);
            }
        }
        set_address(ip, bytes, 12, outside);
        true
    }

    fn inward(&mut self, now: u64, ip: &Header, bytes: &mut [u8]) -> Option<NodeId> {
        let node = match ip.protocol {
            ipv4::GRE => {
                let holder = self.gre.get_mut(&ip.source).filter(|holder| now - holder.1 < IDLE_NS)?;
                holder.1 = now;
                holder.0
            }
            ipv4::ICMP if error(ip, bytes) => self.error_inward(ip, bytes)?,
            _ => {
                let (theirs, ours) = ports(ip, bytes, false)?;
                let mapping = self.mappings.get_mut(&(ip.protocol, ours))?;
                let known = mapping.spoken.contains(&(ip.source, theirs));
                if now - mapping.used >= IDLE_NS || (self.filter == NatFilter::PortRestricted && !known) {
                    return None;
                }
                mapping.used = now;
                let (node, port) = (mapping.node, mapping.port);
                set_port(ip, bytes, false, port);
                node
            }
        };
        set_address(ip, bytes, 16, *self.inside.get(&node)?);
        Some(node)
    }

    /// An ICMP error quotes a packet as its sender sent it, for the address and port outside. The sum over a header with
    /// its checksum stays what it is, so that of the message changes with the port alone.
    fn error_outward(&self, node: NodeId, outside: Ipv4Addr, ip: &Header, bytes: &mut [u8]) -> Option<()> {
        let start = ip.header_length + icmp::HEADER_LEN;
        let (quoted, _) = icmp::quoted(bytes.get(start..)?)?;
        replace(bytes, start + 16, &outside.octets(), &[start + 10]);
        if let Some(at) = port_at(&quoted, false).map(|at| start + at) {
            let ours = ipv4::word(bytes, at);
            let is_it = |(key, mapping): &(&Port, &Mapping)| {
                key.0 == quoted.protocol && mapping.node == node && mapping.port == ours
            };
            let (key, _) = self.mappings.iter().find(is_it)?;
            replace(bytes, at, &key.1.to_be_bytes(), &[ip.header_length + 2]);
        }
        Some(())
    }

    /// An ICMP error goes to the sender of what it quotes, and quotes it as it was sent.
    fn error_inward(&self, ip: &Header, bytes: &mut [u8]) -> Option<NodeId> {
        let start = ip.header_length + icmp::HEADER_LEN;
        let (quoted, _) = icmp::quoted(bytes.get(start..)?)?;
        let (node, port) = match port_at(&quoted, true).map(|at| start + at) {
            None => (self.gre.get(&quoted.destination).filter(|_| quoted.protocol == ipv4::GRE)?.0, None),
            Some(at) => {
                let mapping = self.mappings.get(&(quoted.protocol, ipv4::word(bytes, at)))?;
                (mapping.node, Some((at, mapping.port)))
            }
        };
        replace(bytes, start + 12, &self.inside.get(&node)?.octets(), &[start + 10]);
        if let Some((at, port)) = port {
            replace(bytes, at, &port.to_be_bytes(), &[ip.header_length + 2]);
        }
        Some(node)
    }

    /// The port outside of a host's port: its own number, unless another host has that.
    fn port(&mut self, now: u64, node: NodeId, (protocol, ours): Port) -> u16 {
        self.mappings.retain(|_, mapping| now - mapping.used < IDLE_NS);
        let known = self
            .mappings
            .iter()
            .find(|(key, mapping)| key.0 == protocol && mapping.node == node && mapping.port == ours);
        if let Some((key, _)) = known {
            return key.1;
        }
        let free = |port: &u16| !self.mappings.contains_key(&(protocol, *port));
        let port = std::iter::once(ours).chain(FIRST_PORT..=u16::MAX).find(free).unwrap_or(ours);
        self.mappings.insert((protocol, port), Mapping { node, port: ours, spoken: BTreeSet::new(), used: now });
        port
    }
}

/// Whether a packet is an ICMP error.
fn error(ip: &Header, bytes: &[u8]) -> bool {
    let kind = bytes.get(ip.header_length);
    !ip.is_later_fragment() && kind.is_some_and(|kind| ![icmp::ECHO_REPLY, icmp::ECHO_REQUEST].contains(kind))
}

/// Ports of source and destination; of an echo its identifier, for both. None for what has no ports, and for later
/// fragments.
fn ports(ip: &Header, bytes: &[u8], outward: bool) -> Option<(u16, u16)> {
    let at = ip.header_length;
    if ip.is_later_fragment() || bytes.len() < at + 8 {
        return None;
    }
    match ip.protocol {
        ipv4::UDP | ipv4::TCP => Some((ipv4::word(bytes, at), ipv4::word(bytes, at + 2))),
        // Whom an echo was sent to is known by the address alone.
        ipv4::ICMP if outward => Some((ipv4::word(bytes, at + 4), 0)),
        ipv4::ICMP => Some((0, ipv4::word(bytes, at + 4))),
        _ => None,
    }
}

/// Where the port of the source or the destination is, or the identifier of an echo.
fn port_at(ip: &Header, source: bool) -> Option<usize> {
    match (ip.protocol, source) {
        (ipv4::ICMP, _) => Some(ip.header_length + 4),
        (ipv4::UDP | ipv4::TCP, true) => Some(ip.header_length),
        (ipv4::UDP | ipv4::TCP, false) => Some(ip.header_length + 2),
        _ => None,
    }
}

fn set_port(ip: &Header, bytes: &mut [u8], source: bool, port: u16) {
    let Some(at) = port_at(ip, source) else { return };
    let sum = transport_checksum(ip, bytes).or((ip.protocol == ipv4::ICMP).then_some(ip.header_length + 2));
    replace(bytes, at, &port.to_be_bytes(), sum.as_slice());
}

/// Where a checksum is that covers the addresses too; none for a UDP datagram without one.
fn transport_checksum(ip: &Header, bytes: &[u8]) -> Option<usize> {
    let at = match ip.protocol {
        ipv4::UDP => ip.header_length + 6,
        ipv4::TCP => ip.header_length + 16,
        _ => return None,
    };
    (!ip.is_later_fragment() && bytes.len() >= at + 2 && (ip.protocol == ipv4::TCP || ipv4::word(bytes, at) != 0))
        .then_some(at)
}

fn set_address(ip: &Header, bytes: &mut [u8], at: usize, address: Ipv4Addr) {
    let sums: Vec<usize> = std::iter::once(10).chain(transport_checksum(ip, bytes)).collect();
    replace(bytes, at, &address.octets(), &sums);
}

/// Writes `new` at an even place, and updates the checksums at `sums`, each of which covers it.
fn replace(bytes: &mut [u8], at: usize, new: &[u8], sums: &[usize]) {
    for (index, pair) in new.chunks_exact(2).enumerate() {
        let at = at + 2 * index;
        let (old, new) = (ipv4::word(bytes, at), u16::from_be_bytes([pair[0], pair[1]]));
        for sum in sums {
            if let Some(place) = bytes.get_mut(*sum..*sum + 2) {
                let sum = updated(ipv4::word(place, 0), old, new);
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
        bytes[at..at + 2].copy_from_slice(pair);
    }
}

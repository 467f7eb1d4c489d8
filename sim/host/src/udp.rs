//! UDP sockets (udp(7), `net/ipv4/udp.c`).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use dz_net::host::UdpSpec;
use dz_net::wire::checksum::Sum;
use dz_net::wire::ipv4::Header;
use dz_net::wire::udp::{self, HEADER_LEN, IP_PROTOCOL};
use nix::errno::Errno;

use crate::lookup::Flow;
use crate::machine::Machine;
use crate::send::{Fragmentation, Outgoing};
use crate::socket::{Bound, Queue, Received};

/// A UDP socket.
#[derive(Clone, Debug)]
pub(crate) struct Udp {
    /// Where it receives; none before it was bound or sent from.
    pub(crate) bound: Option<SocketAddrV4>,
    /// What is sent is from here.
    from: Option<Ipv4Addr>,
    /// The interface that it is bound to.
    device: Option<u32>,
    /// Its membership, with the group. A socket with one hears groups on joined interfaces only.
    pub(crate) joined: Option<(u64, Ipv4Addr)>,
    ttl: Option<u8>,
    group_ttl: u8,
    pub(crate) queue: Queue,
}

impl Udp {
    /// Whether it has sent what is quoted: its port is the source's.
    pub(crate) fn sent(&self, source: Ipv4Addr, quoted: &[u8]) -> bool {
        let port = quoted.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
        self.bound
            .is_some_and(|bound| Some(bound.port()) == port && (bound.ip().is_unspecified() || *bound.ip() == source))
    }

    /// How well it fits a datagram to `to` that came in by an interface; none if it does not (`compute_score`).
    fn score(&self, index: u32, to: SocketAddrV4) -> Option<u8> {
        let bound = self.bound.filter(|bound| bound.port() == to.port())?;
        let address = match bound.ip() {
            any if any.is_unspecified() => 0,
            own if own == to.ip() => 1,
            _ => return None,
        };
        let device = match self.device {
            None => 0,
            Some(device) if device == index => 1,
            Some(_) => return None,
        };
        Some(address + device)
    }
}

impl Machine {
    /// As [`dz_net::host::Host::udp`].
    pub(crate) fn open_udp(&mut self, spec: &UdpSpec) -> Result<u64, Errno> {
        let device = match &spec.device {
            Some(name) => Some(self.links.find(name).ok_or(Errno::ENODEV)?),
            None => None,
        };
        let mut from = None;
        let bound = match spec.bind {
            Some(address) => {
                let ip = *address.ip();
                let bind = self.bind(ip, spec.freebind)?;
                from = Some(ip).filter(|_| bind == Bound::Source);
                let port = if address.port() == 0 { self.sockets.free_port()? } else { address.port() };
                Some(SocketAddrV4::new(ip, port))
            }
            None => None,
        };
        let joined = match spec.join {
            Some(group) if !group.is_multicast() => return Err(Errno::EINVAL),
            // The interface that a route to the group leads through.
            Some(group) => {
                let dev = self.way_out(&Flow::to(group), false).map_err(|_| Errno::ENODEV)?.dev;
                Some((self.memberships.join(group, dev), group))
            }
            None => None,
        };
        let (ttl, group_ttl) = (spec.ttl, spec.group_ttl.unwrap_or(1));
        Ok(self.sockets.add_udp(Udp { bound, from, device, joined, ttl, group_ttl, queue: Queue::new() }))
    }

    pub(crate) fn close_udp(&mut self, id: u64) {
        if let Some((membership, _)) = self.sockets.udp.remove(&id).and_then(|socket| socket.joined) {
            self.memberships.leave(membership);
        }
    }

    /// sendto(2).
    pub(crate) fn send_udp(&mut self, now: Instant, id: u64, payload: &[u8], to: SocketAddrV4) -> Result<(), Errno> {
        let port = match self.sockets.udp.get(&id).ok_or(Errno::EBADF)?.bound {
            Some(bound) => bound.port(),
            None => {
                let port = self.sockets.free_port()?;
                if let Some(socket) = self.sockets.udp.get_mut(&id) {
                    socket.bound = Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
                }
                port
            }
        };
        if to.port() == 0 {
            return Err(Errno::EINVAL);
        }
        if payload.len() > usize::from(u16::MAX) - HEADER_LEN {
            return Err(Errno::EMSGSIZE);
        }
        let socket = self.sockets.udp.get(&id).ok_or(Errno::EBADF)?;
        let flow =
            Flow { oif: socket.device, source: socket.from.unwrap_or(Ipv4Addr::UNSPECIFIED), ..Flow::to(*to.ip()) };
        let unicast_ttl = socket.ttl.unwrap_or(self.parameters.default_ttl());
        let ttl = if to.ip().is_multicast() { socket.group_ttl } else { unicast_ttl };
        let way = self.way_out(&flow, false)?;
        let datagram = udp::datagram(SocketAddrV4::new(way.source, port), to, payload).ok_or(Errno::EMSGSIZE)?;
        let (destination, protocol) = (*to.ip(), IP_PROTOCOL);
        let outgoing = Outgoing { destination, protocol, ttl, fragmentation: Fragmentation::Here };
        self.send_payload(now, &way, &outgoing, &datagram)
    }

    /// Delivers a datagram to its socket; false if there is none and the sender may get an ICMP error.
    pub(crate) fn receive_udp(&mut self, now: Instant, index: u32, header: &Header, packet: &[u8]) -> bool {
        let segment = &packet[header.header_length..];
        let Some(head) = segment.first_chunk::<HEADER_LEN>() else { return true };
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let Some(datagram) = segment.get(..usize::from(word(4))).filter(|datagram| datagram.len() >= HEADER_LEN) else {
            return true;
        };
        let sum = Sum::new().pseudo_header(header.source, header.destination, IP_PROTOCOL, word(4)).bytes(datagram);
        // A checksum of zero says that there is none (RFC 768).
        if word(6) != 0 && sum.folded() != 0xffff {
            return true;
        }
        let to = SocketAddrV4::new(header.destination, word(2));
        let received = Received {
            at: now,
            from: SocketAddrV4::new(header.source, word(0)),
            bytes: datagram[HEADER_LEN..].to_vec(),
        };
        if header.destination.is_multicast() {
            let memberships = &self.memberships;
            for socket in self.sockets.udp.values_mut().filter(|socket| socket.score(index, to).is_some()) {
                if socket.joined.is_none_or(|(id, _)| memberships.is(id, *to.ip(), index)) {
                    socket.queue.push(received.clone());
                }
            }
            return true;
        }
        // Of equally good ones the one that was made last.
        let best = self.sockets.udp.values_mut().filter_map(|socket| Some((socket.score(index, to)?, socket)));
        match best.max_by_key(|(score, _)| *score) {
            Some((_, socket)) => {
                socket.queue.push(received);
                true
            }
            None => false,
        }
    }
}

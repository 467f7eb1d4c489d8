//! The sockets of a host's programs: UDP (udp(7)) and raw (raw(7)).

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use dz_net::kernel::RouteKind;
use dz_net::wire::icmp;
use dz_net::wire::ipv4::Header;
use nix::errno::Errno;
use tokio::sync::Notify;

use crate::lookup::Flow;
use crate::machine::Machine;
use crate::route::TABLE_LOCAL;
use crate::udp::Udp;

/// Packets that may wait in a socket; further ones are dropped. A real one counts bytes, and takes some hundred.
const WAITING: usize = 1024;

/// What is received: a packet, and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    /// Who sent it.
    pub(crate) from: SocketAddrV4,
    /// A datagram's payload, or a whole packet.
    pub(crate) bytes: Vec<u8>,
}

/// What every socket has.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) received: VecDeque<Received>,
    pub(crate) news: Arc<Notify>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { received: VecDeque::new(), news: Arc::new(Notify::new()) }
    }

    pub(crate) fn push(&mut self, received: Received) {
        if self.received.len() < WAITING {
            self.received.push_back(received);
            self.news.notify_one();
        }
    }
}

/// A raw socket.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) protocol: u8,
    /// Only what is for this address is received.
    pub(crate) address: Option<Ipv4Addr>,
    /// What is sent is from here.
    pub(crate) source: Option<Ipv4Addr>,
    /// The interface that it is bound to.
    pub(crate) device: Option<u32>,
    /// Reads only what is about echo requests: replies and errors (`ICMP_FILTER`).
    pub(crate) echo_only: bool,
    pub(crate) queue: Queue,
}

impl Raw {
    /// `raw_v4_match`, and the filter.
    fn hears(&self, index: u32, header: &Header, packet: &[u8]) -> bool {
        const HEARD: [u8; 3] = [icmp::ECHO_REPLY, icmp::UNREACHABLE, icmp::TIME_EXCEEDED];
        self.protocol == header.protocol
            && self.address.is_none_or(|address| address == header.destination)
            && self.device.is_none_or(|device| device == index)
            && (!self.echo_only || packet.get(header.header_length).is_some_and(|kind| HEARD.contains(kind)))
    }
}

/// What binding to an address comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// What is sent is from there.
    Source,
    /// A group, a broadcast address or none: only what is for it is received.
    Receiver,
}

impl Machine {
    /// Whether a socket may be bound to an address, and what to (`inet_addr_valid_or_nonlocal`).
    pub(crate) fn bind(&self, address: Ipv4Addr, any: bool) -> Result<Bound, Errno> {
        if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
            return Ok(Bound::Receiver);
        }
        match self.lookup_table(TABLE_LOCAL, &Flow::to(address)).map(|route| route.kind) {
            Ok(RouteKind::Local) => Ok(Bound::Source),
            Ok(RouteKind::Broadcast) => Ok(Bound::Receiver),
            _ if any => Ok(Bound::Source),
            _ => Err(Errno::EADDRNOTAVAIL),
        }
    }
}

/// All sockets by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) udp: BTreeMap<u64, Udp>,
    pub(crate) raw: BTreeMap<u64, Raw>,
    next: u64,
    /// The next port for a socket that asks for none.
    next_port: u16,
}

/// The ports that are given to sockets that ask for none (`ip_local_port_range`).
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

impl Sockets {
    pub(crate) fn add_udp(&mut self, socket: Udp) -> u64 {
        let id = self.number();
        self.udp.insert(id, socket);
        id
    }

    pub(crate) fn add_raw(&mut self, socket: Raw) -> u64 {
        let id = self.number();
        self.raw.insert(id, socket);
        id
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A port that no socket has.
    pub(crate) fn free_port(&mut self) -> Result<u16, Errno> {
        for _ in EPHEMERAL {
            self.next_port =
                if EPHEMERAL.contains(&(self.next_port + 1)) { self.next_port + 1 } else { *EPHEMERAL.start() };
            let port = self.next_port;
            if !self.udp.values().any(|socket| socket.bound.is_some_and(|bound| bound.port() == port)) {
                return Ok(port);
            }
        }
        Err(Errno::EADDRINUSE)
    }

    /// Gives every raw socket that hears it a copy of a packet for this host; false if none does.
    pub(crate) fn deliver_raw(&mut self, now: Instant, index: u32, header: &Header, packet: &[u8]) -> bool {
        let mut taken = false;
        for socket in self.raw.values_mut().filter(|socket| socket.hears(index, header, packet)) {
            taken = true;
            let from = SocketAddrV4::new(header.source, 0);
            socket.queue.push(Received { at: now, from, bytes: packet.to_vec() });
        }
        taken
    }

    /// Whether a raw socket of that protocol is open.
    pub(crate) fn has_raw(&self, protocol: u8) -> bool {
        self.raw.values().any(|socket| socket.protocol == protocol)
    }

    /// Whether a UDP socket has sent what is quoted.
    pub(crate) fn has_udp(&self, source: Ipv4Addr, quoted: &[u8]) -> bool {
        self.udp.values().any(|socket| socket.sent(source, quoted))
    }

    /// Ends all sockets, as the end of its namespace does not: but a host that reboots ends those who hold them.
    pub(crate) fn end(&mut self) {
        let udp = std::mem::take(&mut self.udp).into_values().map(|socket| socket.queue);
        let raw = std::mem::take(&mut self.raw).into_values().map(|socket| socket.queue);
        udp.chain(raw).for_each(|queue| queue.news.notify_one());
    }
}

//! Packets from outside, and what may differ between two that are the same.

use std::net::{Ipv4Addr, SocketAddrV4};

use dz_net::wire::ipv4::{self, HEADER_LEN, Header};
use dz_net::wire::{gre, icmp, udp};
use proptest::prelude::*;
use proptest::sample::select;

use super::addresses::{destination, host};

/// A packet to be made.
#[derive(Clone, Debug)]
pub(super) struct PacketSpec {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    kind: Kind,
    ttl: u8,
    dont_fragment: bool,
    size: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Echo,
    /// To a closed port.
    Datagram,
    /// To the port that sockets listen at.
    Heard,
    Gre,
    Unknown,
    /// An ICMP error about a datagram.
    Error,
}

/// The port of sockets that listen.
pub(super) const OPEN_PORT: u16 = 8000;
/// A port without a UDP socket.
pub(super) const CLOSED_PORT: u16 = 9;

pub(super) fn packet() -> impl Strategy<Value = PacketSpec> {
    let sources = prop_oneof![6 => host(), 1 => destination()];
    let kinds = select(vec![
        Kind::Echo,
        Kind::Echo,
        Kind::Datagram,
        Kind::Heard,
        Kind::Heard,
        Kind::Gre,
        Kind::Unknown,
        Kind::Error,
    ]);
    let sizes = select(vec![8usize, 100, 600, 1400, 1480]);
    (sources, destination(), kinds, select(vec![1u8, 2, 64]), any::<bool>(), sizes).prop_map(
        |(source, destination, kind, ttl, dont_fragment, size)| PacketSpec {
            source,
            destination,
            kind,
            ttl,
            dont_fragment,
            size,
        },
    )
}

impl PacketSpec {
    /// Its bytes; `inner` is what a GRE packet carries.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let payload = vec![7; self.size];
        let (protocol, body) = match self.kind {
            Kind::Echo => (icmp::IP_PROTOCOL, icmp::echo(false, 77, 1, &payload[8..])),
            Kind::Datagram | Kind::Heard => {
                let port = if matches!(self.kind, Kind::Heard) { OPEN_PORT } else { CLOSED_PORT };
                let (from, to) = (SocketAddrV4::new(self.source, 7000), SocketAddrV4::new(self.destination, port));
                (udp::IP_PROTOCOL, udp::datagram(from, to, &payload[8..]).expect("it fits"))
            }
            Kind::Gre => {
                let inner = ipv4::packet(self.destination, self.source, 99, &payload[..8]).expect("it fits");
                (gre::IP_PROTOCOL, [&gre::HEADER[..], &inner].concat())
            }
            Kind::Unknown => (99, payload),
            Kind::Error => {
                let (from, to) =
                    (SocketAddrV4::new(self.destination, 7000), SocketAddrV4::new(self.source, CLOSED_PORT));
                let about = udp::packet(from, to, &payload[8..]).expect("it fits");
                let message = icmp::error_packet(self.source, icmp::Error::Unreachable(1), &about);
                (icmp::IP_PROTOCOL, message.map_or(Vec::new(), |packet| packet[HEADER_LEN..].to_vec()))
            }
        };
        let header = Header {
            tos: 0,
            total_length: (HEADER_LEN + body.len()) as u16,
            identification: 0x1234,
            fragment: if self.dont_fragment { ipv4::DONT_FRAGMENT } else { 0 },
            ttl: self.ttl,
            protocol,
            source: self.source,
            destination: self.destination,
            header_length: HEADER_LEN,
        };
        [&header.encode()[..], &body].concat()
    }
}

/// A packet without what two hosts choose as they like: the identification, and with it the checksum, also of a packet
/// that it carries.
pub(super) fn normal(mut packet: Vec<u8>) -> Vec<u8> {
    let Ok(header) = Header::decode(&packet) else { return packet };
    packet[4..6].fill(0);
    ipv4::seal(&mut packet[..header.header_length]);
    if header.protocol == gre::IP_PROTOCOL && packet.len() > header.header_length + 4 {
        let inner = normal(packet.split_off(header.header_length + 4));
        packet.extend(inner);
    }
    packet
}

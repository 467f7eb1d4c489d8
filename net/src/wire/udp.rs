//! UDP datagrams as whole IPv4 packets.

use std::net::SocketAddrV4;

use pnet::packet::udp::{self, MutableUdpPacket};

use super::ipv4;

/// IP protocol number of UDP.
pub const IP_PROTOCOL: u8 = 17;
/// Length of a UDP header, in bytes.
pub const HEADER_LEN: usize = 8;

/// A UDP datagram, the payload of an IPv4 packet, with its checksum. None if the payload exceeds what a packet carries.
pub fn datagram(source: SocketAddrV4, destination: SocketAddrV4, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(HEADER_LEN + payload.len()).ok()?;
    let mut bytes = vec![0; usize::from(length)];
    let mut datagram = MutableUdpPacket::new(&mut bytes)?;
    datagram.set_source(source.port());
    datagram.set_destination(destination.port());
    datagram.set_length(length);
    datagram.set_payload(payload);
    let checksum = udp::ipv4_checksum(&datagram.to_immutable(), source.ip(), destination.ip());
    // Zero would say that there is none (RFC 768).
    datagram.set_checksum(if checksum == 0 { 0xffff } else { checksum });
    Some(bytes)
}

/// A whole IPv4 packet with a UDP datagram, checksums right, TTL 64. None if the payload exceeds what a packet carries.
pub fn packet(source: SocketAddrV4, destination: SocketAddrV4, payload: &[u8]) -> Option<Vec<u8>> {
    let bytes = datagram(source, destination, payload)?;
    ipv4::packet(*source.ip(), *destination.ip(), IP_PROTOCOL, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum::Sum;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn its_lengths_and_checksums_are_right(payload in proptest::collection::vec(any::<u8>(), 0..1473)) {
            let (from, to): (SocketAddrV4, SocketAddrV4) =
                ("148.51.120.1:7000".parse().unwrap(), "233.84.178.1:7001".parse().unwrap());
            let packet = packet(from, to, &payload).unwrap();
            let header = ipv4::Header::decode_checked(&packet).unwrap();
            prop_assert_eq!((header.source, header.destination, header.protocol), (*from.ip(), *to.ip(), 17));
            prop_assert_eq!(usize::from(header.total_length), 28 + payload.len());
            let datagram = &packet[20..];
            prop_assert_eq!(&datagram[..6], [&7000u16.to_be_bytes()[..], &7001u16.to_be_bytes(), &(8 + payload.len() as u16).to_be_bytes()].concat());
            prop_assert_eq!(&datagram[8..], &payload[..]);
            let sum = Sum::new().pseudo_header(*from.ip(), *to.ip(), 17, datagram.len() as u16).bytes(datagram);
            prop_assert_eq!(sum.folded(), 0xffff);
        }
    }

    #[test]
    fn a_payload_too_long_is_no_packet() {
        let to = "127.0.0.1:9".parse().unwrap();
        assert_eq!(packet(to, to, &vec![0; 65_508]), None);
        assert_eq!(packet(to, to, &vec![0; 65_507]).map(|packet| packet.len()), Some(65_535));
    }
}

//! ICMP errors that the routers of the simulated internet send (RFC 792, RFC 1191, RFC 1812 section 4.3).

use std::net::Ipv4Addr;

use dz_net::wire::checksum::checksum;

use super::ipv4::{self, HEADER_LEN, Ipv4};

/// What a router tells a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IcmpError {
    /// Type 3 code 0: no route to the destination's network.
    NetUnreachable,
    /// Type 3 code 1: the destination is known not to answer.
    HostUnreachable,
    /// Type 3 code 4: too large, and not to be fragmented.
    FragmentationNeeded {
        /// The MTU of the path in bytes.
        mtu: u16,
    },
    /// Type 11 code 0: the TTL ran out.
    TimeExceeded,
}

/// The whole error message may have this many bytes (RFC 1812 section 4.3.2.3).
const MAX_LEN: usize = 576;

/// The message that a router at `router` sends about the packet `about`, whose header is `ip`; `None` for packets
/// about which no error may be sent (RFC 1812 section 4.3.2.7).
pub(crate) fn error(kind: IcmpError, router: Ipv4Addr, about: &[u8], ip: &Ipv4) -> Option<Vec<u8>> {
    if ip.is_later_fragment() || !is_unicast(ip.source) || !is_unicast(ip.destination) {
        return None;
    }
    if ip.protocol == ipv4::ICMP && !about.get(ip.header_len).copied().is_some_and(is_query) {
        return None;
    }
    let (kind_code, rest) = match kind {
        IcmpError::NetUnreachable => ([3, 0], 0),
        IcmpError::HostUnreachable => ([3, 1], 0),
        IcmpError::FragmentationNeeded { mtu } => ([3, 4], u32::from(mtu)),
        IcmpError::TimeExceeded => ([11, 0], 0),
    };
    let quoted = &about[..usize::from(ip.total_len).min(about.len()).min(MAX_LEN - HEADER_LEN - 8)];
    let total = HEADER_LEN + 8 + quoted.len();

    let mut bytes = vec![0; HEADER_LEN + 8];
    bytes[0] = 0x45;
    // Internetwork control (RFC 1812 section 4.3.2.5).
    bytes[1] = 0xc0;
    bytes[2..4].copy_from_slice(&(total as u16).to_be_bytes());
    bytes[8] = 64;
    bytes[9] = ipv4::ICMP;
    bytes[12..16].copy_from_slice(&router.octets());
    bytes[16..20].copy_from_slice(&ip.source.octets());
    ipv4::seal(&mut bytes[..HEADER_LEN]);
    bytes[20..22].copy_from_slice(&kind_code);
    bytes[24..28].copy_from_slice(&rest.to_be_bytes());
    bytes.extend_from_slice(quoted);
    let sum = checksum(&bytes[HEADER_LEN..]);
    bytes[22..24].copy_from_slice(&sum.to_be_bytes());
    Some(bytes)
}

/// Whether an address can be that of one host on the internet.
pub(crate) fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

/// ICMP types that ask or answer, and are no errors themselves.
fn is_query(kind: u8) -> bool {
    matches!(kind, 0 | 8 | 9 | 10 | 13..=18)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::ipv4::tests::packet;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

    fn about(bytes: &[u8]) -> Option<Vec<u8>> {
        error(IcmpError::FragmentationNeeded { mtu: 1400 }, ROUTER, bytes, &Ipv4::parse(bytes).unwrap())
    }

    #[test]
    fn carries_mtu_and_quote() {
        let bytes = packet(ipv4::UDP, [192, 0, 2, 1], [192, 0, 2, 2], 1000);
        let message = about(&bytes).unwrap();
        let ip = Ipv4::parse(&message).unwrap();
        assert_eq!(message.len(), MAX_LEN);
        assert_eq!((ip.source, ip.destination), (ROUTER, Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(message[20..22], [3, 4]);
        assert_eq!(message[24..28], [0, 0, 0x05, 0x78]);
        assert_eq!(message[28..], bytes[..548]);
        assert_eq!(checksum(&message[20..]), 0);
    }

    #[test]
    fn never_about_errors_fragments_or_groups() {
        let mut echo = packet(ipv4::ICMP, [192, 0, 2, 1], [192, 0, 2, 2], 8);
        echo[20] = 8;
        assert!(about(&echo).is_some());
        echo[20] = 3;
        assert_eq!(about(&echo), None);
        let mut fragment = packet(ipv4::UDP, [192, 0, 2, 1], [192, 0, 2, 2], 8);
        ipv4::set_fragment(&mut fragment[..20], 28, 8, false);
        assert_eq!(about(&fragment), None);
        assert_eq!(about(&packet(ipv4::UDP, [192, 0, 2, 1], [233, 84, 178, 1], 8)), None);
        assert_eq!(about(&packet(ipv4::UDP, [0, 0, 0, 0], [192, 0, 2, 2], 8)), None);
    }
}

//! The IPv4 header (RFC 791) as the fabric needs it, over the codec of [`dz_net::wire::ipv4`].

use std::net::Ipv4Addr;

#[cfg(test)]
pub(crate) use dz_net::wire::ipv4::set_fragment;
pub(crate) use dz_net::wire::ipv4::{DecodeError, HEADER_LEN, Header, decrement_ttl, seal};

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const GRE: u8 = 47;

/// Why bytes are not an IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotIpv4 {
    /// Its header.
    Header(DecodeError),
    /// A fragment that ends beyond the largest packet.
    BeyondEnd,
}

/// Reads a header and checks all of it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Header, NotIpv4> {
    let header = Header::decode_checked(bytes).map_err(NotIpv4::Header)?;
    match header.fragment_offset().checked_add(header.total_length - header.header_length as u16) {
        Some(_) => Ok(header),
        None => Err(NotIpv4::BeyondEnd),
    }
}

/// Whether an address can be that of one host on the internet.
pub(crate) fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

/// The 16-bit word at `at`.
pub(crate) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The address at `at`.
pub(crate) fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

/// What is behind a GRE header; `None` unless it carries IPv4.
pub(crate) fn gre_payload(gre: &[u8]) -> Option<&[u8]> {
    if gre.len() < 4 || word(gre, 2) != 0x0800 {
        return None;
    }
    // Checksum, key and sequence number present: each adds four bytes.
    let options = [0x80, 0x20, 0x10].into_iter().filter(|bit| gre[0] & bit != 0).count();
    gre.get(4 + 4 * options..)
}

/// Source and destination of the IPv4 packet inside a GRE packet (RFC 2784, with the key and sequence number of
/// RFC 2890); `None` if what it carries is something else or cut off.
pub(crate) fn gre_inner(bytes: &[u8], ip: &Header) -> Option<(Ipv4Addr, Ipv4Addr)> {
    if ip.protocol != GRE || ip.is_later_fragment() {
        return None;
    }
    let inner = gre_payload(&bytes[ip.header_length..])?;
    (inner.len() >= HEADER_LEN && inner[0] >> 4 == 4).then(|| (address(inner, 12), address(inner, 16)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A packet with a header of its own and `payload` bytes that count up.
    pub(crate) fn packet(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[0] = 0x45;
        bytes[2..4].copy_from_slice(&((HEADER_LEN + payload) as u16).to_be_bytes());
        bytes[4..6].copy_from_slice(&0x1234u16.to_be_bytes());
        bytes[8] = 64;
        bytes[9] = protocol;
        bytes[12..16].copy_from_slice(&source);
        bytes[16..20].copy_from_slice(&destination);
        seal(&mut bytes);
        bytes.extend((0..payload).map(|i| i as u8));
        bytes
    }

    #[test]
    fn a_fragment_beyond_the_largest_packet_is_refused() {
        let mut bytes = packet(UDP, [192, 0, 2, 1], [192, 0, 2, 2], 8);
        assert_eq!(parse(&bytes).map(|ip| ip.total_length), Ok(28));
        set_fragment(&mut bytes, 20, 65_528, false);
        assert_eq!(parse(&bytes), Err(NotIpv4::BeyondEnd));
        bytes[10] ^= 1;
        assert!(matches!(parse(&bytes), Err(NotIpv4::Header(DecodeError::Checksum(_)))));
    }

    #[test]
    fn looks_into_gre() {
        let inner = packet(UDP, [10, 0, 0, 1], [10, 0, 0, 2], 8);
        let outer = |flags: u8, options: usize, protocol: u16| {
            let mut bytes = packet(GRE, [192, 0, 2, 1], [192, 0, 2, 2], 4 + options + inner.len());
            bytes.truncate(20);
            bytes.extend([flags, 0]);
            bytes.extend(protocol.to_be_bytes());
            bytes.extend(vec![0; options]);
            bytes.extend(&inner);
            let ip = parse(&bytes).unwrap();
            gre_inner(&bytes, &ip)
        };
        let found = Some((Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)));
        assert_eq!(outer(0, 0, 0x0800), found);
        assert_eq!(outer(0x20, 4, 0x0800), found);
        assert_eq!(outer(0xb0, 12, 0x0800), found);
        assert_eq!(outer(0, 0, 0x86dd), None);
    }
}

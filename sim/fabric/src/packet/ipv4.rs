//! The IPv4 header (RFC 791) as the fabric needs it: read once into a value, and changed in place where a router
//! changes it.

use std::net::Ipv4Addr;

use dz_net::wire::checksum::{self, Sum};

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const GRE: u8 = 47;

/// Bytes of a header without options.
pub(crate) const HEADER_LEN: usize = 20;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

/// A header that was read and found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ipv4 {
    pub(crate) header_len: usize,
    pub(crate) total_len: u16,
    pub(crate) dont_fragment: bool,
    pub(crate) more_fragments: bool,
    /// Offset of the payload in the unfragmented one, in bytes.
    pub(crate) fragment_offset: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
}

/// Why bytes are not an IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotIpv4 {
    /// The version is another one.
    Version(u8),
    /// Shorter than the header says, or than any header.
    Truncated,
    /// The header length is below five words.
    HeaderLength,
    /// The header checksum is wrong.
    Checksum,
    /// A fragment that ends beyond the largest packet.
    BeyondEnd,
}

impl Ipv4 {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, NotIpv4> {
        let first = *bytes.first().ok_or(NotIpv4::Truncated)?;
        if first >> 4 != 4 {
            return Err(NotIpv4::Version(first >> 4));
        }
        if bytes.len() < HEADER_LEN {
            return Err(NotIpv4::Truncated);
        }
        let header_len = usize::from(first & 0x0f) * 4;
        if header_len < HEADER_LEN {
            return Err(NotIpv4::HeaderLength);
        }
        let total_len = word(bytes, 2);
        if header_len > usize::from(total_len) || usize::from(total_len) > bytes.len() {
            return Err(NotIpv4::Truncated);
        }
        if Sum::new().bytes(&bytes[..header_len]).folded() != 0xffff {
            return Err(NotIpv4::Checksum);
        }
        let fragment = word(bytes, 6);
        let offset = (fragment & 0x1fff) * 8;
        if offset.checked_add(total_len - header_len as u16).is_none() {
            return Err(NotIpv4::BeyondEnd);
        }
        Ok(Self {
            header_len,
            total_len,
            dont_fragment: fragment & DONT_FRAGMENT != 0,
            more_fragments: fragment & MORE_FRAGMENTS != 0,
            fragment_offset: offset,
            ttl: bytes[8],
            protocol: bytes[9],
            source: address(bytes, 12),
            destination: address(bytes, 16),
        })
    }

    /// Whether it is a later fragment, which carries no transport header.
    pub(crate) fn is_later_fragment(&self) -> bool {
        self.fragment_offset != 0
    }
}

/// The 16-bit word at `at`.
pub(crate) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The address at `at`.
pub(crate) fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

/// Lowers the TTL of a parsed packet by one, as each router does (RFC 1812 section 5.3.1).
pub(crate) fn decrement_ttl(bytes: &mut [u8]) {
    let old = word(bytes, 8);
    bytes[8] -= 1;
    let sum = checksum::updated(word(bytes, 10), old, word(bytes, 8));
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Computes the header checksum anew.
pub(crate) fn seal(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = checksum::checksum(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Sets total length and fragment field of a header and seals it.
pub(crate) fn set_fragment(header: &mut [u8], total_len: u16, offset: u16, more: bool) {
    header[2..4].copy_from_slice(&total_len.to_be_bytes());
    let field = (offset / 8) | if more { MORE_FRAGMENTS } else { 0 };
    header[6..8].copy_from_slice(&field.to_be_bytes());
    seal(header);
}

/// Source and destination of the IPv4 packet inside a GRE packet (RFC 2784, with the key and sequence number of
/// RFC 2890); `None` if what it carries is something else or cut off.
pub(crate) fn gre_inner(bytes: &[u8], ip: &Ipv4) -> Option<(Ipv4Addr, Ipv4Addr)> {
    if ip.protocol != GRE || ip.is_later_fragment() {
        return None;
    }
    let gre = &bytes[ip.header_len..];
    if gre.len() < 4 || word(gre, 2) != 0x0800 {
        return None;
    }
    // Checksum, key and sequence number present: each adds four bytes.
    let options = [0x80, 0x20, 0x10].into_iter().filter(|bit| gre[0] & bit != 0).count();
    let inner = gre.get(4 + 4 * options..)?;
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
    fn reads_every_field() {
        let mut bytes = packet(UDP, [192, 0, 2, 1], [192, 0, 2, 2], 8);
        set_fragment(&mut bytes[..20], 28, 1480, true);
        assert_eq!(
            Ipv4::parse(&bytes),
            Ok(Ipv4 {
                header_len: 20,
                total_len: 28,
                dont_fragment: false,
                more_fragments: true,
                fragment_offset: 1480,
                ttl: 64,
                protocol: UDP,
                source: Ipv4Addr::new(192, 0, 2, 1),
                destination: Ipv4Addr::new(192, 0, 2, 2),
            })
        );
    }

    #[test]
    fn refuses_each_kind_of_nonsense() {
        let good = packet(UDP, [192, 0, 2, 1], [192, 0, 2, 2], 8);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            Ipv4::parse(&bytes)
        };
        assert_eq!(Ipv4::parse(&[]), Err(NotIpv4::Truncated));
        assert_eq!(Ipv4::parse(&good[..19]), Err(NotIpv4::Truncated));
        assert_eq!(Ipv4::parse(&good[..27]), Err(NotIpv4::Truncated));
        assert_eq!(with(0, 0x65), Err(NotIpv4::Version(6)));
        assert_eq!(with(0, 0x44), Err(NotIpv4::HeaderLength));
        assert_eq!(with(0, 0x4f), Err(NotIpv4::Truncated));
        assert_eq!(with(10, 0xab), Err(NotIpv4::Checksum));
        let mut beyond = good.clone();
        set_fragment(&mut beyond[..20], 28, 65_528, false);
        assert_eq!(Ipv4::parse(&beyond), Err(NotIpv4::BeyondEnd));
    }

    #[test]
    fn ttl_keeps_the_checksum_right() {
        let mut bytes = packet(UDP, [192, 0, 2, 1], [192, 0, 2, 2], 8);
        for ttl in (0..64).rev() {
            decrement_ttl(&mut bytes);
            assert_eq!(Ipv4::parse(&bytes).map(|ip| ip.ttl), Ok(ttl));
        }
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
            let ip = Ipv4::parse(&bytes).unwrap();
            gre_inner(&bytes, &ip)
        };
        let found = Some((Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)));
        assert_eq!(outer(0, 0, 0x0800), found);
        assert_eq!(outer(0x20, 4, 0x0800), found);
        assert_eq!(outer(0xb0, 12, 0x0800), found);
        assert_eq!(outer(0, 0, 0x86dd), None);
    }
}

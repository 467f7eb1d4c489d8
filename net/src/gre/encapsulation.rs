//! Encapsulation and decapsulation of a packet. Pure.

use super::{Discard, Pair, TunnelSpec};
use crate::wire::gre::{self, OVERHEAD};
use crate::wire::ipv4::{self, Header};

const ECN: u8 = 0x03;
const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// The outer headers for an inner packet, given in two parts of which the first may be empty: IPv4 with DF, and GRE.
///
/// # Errors
/// Why the packet is not sent.
pub fn encapsulate(spec: &TunnelSpec, headers: &[u8], payload: &[u8]) -> Result<[u8; OVERHEAD], Discard> {
    let start = if headers.is_empty() { payload } else { headers };
    let Some(header) = start.first_chunk::<{ ipv4::HEADER_LEN }>().filter(|header| header[0] >> 4 == 4) else {
        return Err(Discard::NotIpv4);
    };
    if header[9] == gre::IP_PROTOCOL && is_own(spec, header) {
        return Err(Discard::Recursion);
    }
    let tos = header[1];
    let length = headers.len() + payload.len();
    let outer = Header {
        // Normal mode of RFC 6040 section 4.1: the ECN field as it is.
        tos: tos & ECN,
        total_length: u16::try_from(OVERHEAD + length).map_err(|_| Discard::Unsendable)?,
        // The kernel numbers what has none.
        identification: 0,
        fragment: ipv4::DONT_FRAGMENT,
        ttl: spec.ttl,
        protocol: gre::IP_PROTOCOL,
        source: spec.local,
        destination: spec.remote,
        header_length: ipv4::HEADER_LEN,
    };
    let mut bytes = [0; OVERHEAD];
    bytes[..ipv4::HEADER_LEN].copy_from_slice(&outer.encode());
    bytes[ipv4::HEADER_LEN..].copy_from_slice(&gre::HEADER);
    Ok(bytes)
}

/// Whether a header is the tunnel's own outer one: a route leads to the tunnel's end through the tunnel, and each packet
/// would go round until it is too big.
fn is_own(spec: &TunnelSpec, header: &[u8; ipv4::HEADER_LEN]) -> bool {
    header[12..16] == spec.local.octets() && header[16..20] == spec.remote.octets()
}

/// An inner packet with what its outer header said.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    outer: Header,
    inner_ecn: u8,
    inner: &'a mut [u8],
}

/// Takes the outer headers off a received packet.
///
/// # Errors
/// Why the packet is thrown away.
pub fn decapsulate(packet: &mut [u8]) -> Result<Arrived<'_>, Discard> {
    let outer = Header::decode(packet).map_err(|_| Discard::Truncated)?;
    let payload = &packet[outer.header_length..usize::from(outer.total_length)];
    let inner = gre::decode(payload)?;
    let header = Header::decode(inner).map_err(|_| Discard::InnerMalformed)?;
    // Padding after the inner packet is no part of it.
    let start = usize::from(outer.total_length) - inner.len();
    let inner = &mut packet[start..start + usize::from(header.total_length)];
    Ok(Arrived { outer, inner_ecn: header.tos & ECN, inner })
}

impl<'a> Arrived<'a> {
    /// The tunnel it is for: here is its outer destination.
    pub fn pair(&self) -> Pair {
        (self.outer.destination, self.outer.source)
    }

    /// Combines the ECN fields (RFC 6040 section 4.2) and returns the inner packet.
    ///
    /// # Errors
    /// [`Discard::Ecn`]: it was marked as congested for a sender that cannot know.
    pub fn finish(self) -> Result<&'a mut [u8], Discard> {
        match (self.inner_ecn, self.outer.tos & ECN) {
            (NOT_ECT, CE) => return Err(Discard::Ecn),
            (NOT_ECT, _) | (CE, _) => {}
            (_, CE) => ipv4::set_ecn(self.inner, CE),
            (ECT_0, ECT_1) => ipv4::set_ecn(self.inner, ECT_1),
            _ => {}
        }
        Ok(self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec() -> TunnelSpec {
        TunnelSpec {
            name: "doublezero0".to_owned(),
            local: [9, 0, 0, 1].into(),
            remote: [9, 0, 0, 2].into(),
            ttl: 64,
            mtu: 1476,
        }
    }

    fn inner(tos: u8) -> Vec<u8> {
        let mut packet = ipv4::packet([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 17, b"0123456789").unwrap();
        let header = Header { tos, ..Header::decode(&packet).unwrap() };
        packet[..20].copy_from_slice(&header.encode());
        packet
    }

    /// As it comes out at the other end, with another outer TOS.
    fn carried(inner: &[u8], outer_tos: u8) -> Vec<u8> {
        let mut packet = [&encapsulate(&spec(), &[], inner).unwrap()[..], inner].concat();
        packet[1] = outer_tos;
        packet
    }

    #[test]
    fn the_outer_headers_are_what_the_tunnel_says() {
        let bytes = encapsulate(&spec(), &[], &inner(0)).unwrap();
        let expected = [
            0x45, 0, 0, 54, 0, 0, 0x40, 0, 64, 47, 0x28, 0x97, 9, 0, 0, 1, 9, 0, 0, 2, // IPv4
            0, 0, 8, 0, // GRE
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_is_not_ipv4_is_not_sent() {
        assert_eq!(encapsulate(&spec(), &[], &[0x60; 40]), Err(Discard::NotIpv4));
        assert_eq!(encapsulate(&spec(), &[], &[]), Err(Discard::NotIpv4));
    }

    #[test]
    fn a_tunnels_own_packets_do_not_go_into_it_again() {
        let own = carried(&inner(0), 0);
        assert_eq!(encapsulate(&spec(), &[], &own), Err(Discard::Recursion));
        assert_eq!(encapsulate(&spec(), &own[..24], &own[24..]), Err(Discard::Recursion));
        // Those of another tunnel may, and so may anything else between the two.
        let other = TunnelSpec { remote: [9, 0, 0, 3].into(), ..spec() };
        assert!(encapsulate(&other, &[], &own).is_ok());
        let ping = ipv4::packet(spec().local, spec().remote, 1, &[0; 8]).unwrap();
        assert!(encapsulate(&spec(), &[], &ping).is_ok());
    }

    #[test]
    fn the_pair_is_seen_from_the_receiver() {
        let mut packet = carried(&inner(0), 0);
        assert_eq!(decapsulate(&mut packet).unwrap().pair(), ([9, 0, 0, 2].into(), [9, 0, 0, 1].into()));
    }

    #[test]
    fn ecn_goes_in_and_out_as_rfc_6040_says() {
        for tos in 0..=3 {
            assert_eq!(encapsulate(&spec(), &[], &inner(0xb8 | tos)).unwrap()[1], tos);
        }
        // Inner, outer, and what comes out (RFC 6040 figure 4).
        let table = [
            (NOT_ECT, NOT_ECT, Ok(NOT_ECT)),
            (NOT_ECT, ECT_0, Ok(NOT_ECT)),
            (NOT_ECT, ECT_1, Ok(NOT_ECT)),
            (NOT_ECT, CE, Err(Discard::Ecn)),
            (ECT_0, NOT_ECT, Ok(ECT_0)),
            (ECT_0, ECT_0, Ok(ECT_0)),
            (ECT_0, ECT_1, Ok(ECT_1)),
            (ECT_0, CE, Ok(CE)),
            (ECT_1, NOT_ECT, Ok(ECT_1)),
            (ECT_1, ECT_0, Ok(ECT_1)),
            (ECT_1, ECT_1, Ok(ECT_1)),
            (ECT_1, CE, Ok(CE)),
            (CE, NOT_ECT, Ok(CE)),
            (CE, ECT_0, Ok(CE)),
            (CE, ECT_1, Ok(CE)),
            (CE, CE, Ok(CE)),
        ];
        for (inner_ecn, outer_ecn, expected) in table {
            let mut packet = carried(&inner(inner_ecn), outer_ecn);
            let out = decapsulate(&mut packet).unwrap().finish().map(|bytes| inner_of(bytes).tos);
            assert_eq!(out, expected, "inner {inner_ecn}, outer {outer_ecn}");
        }
    }

    fn inner_of(bytes: &[u8]) -> Header {
        Header::decode_checked(bytes).unwrap()
    }

    #[test]
    fn each_malformed_packet_has_its_kind() {
        let good = carried(&inner(0), 0);
        let with = |changes: &[(usize, u8)]| {
            let mut packet = good.clone();
            for (at, value) in changes {
                packet[*at] = *value;
            }
            packet
        };
        let cases = [
            (good[..19].to_vec(), Discard::Truncated),
            (with(&[(3, 22)])[..22].to_vec(), Discard::Truncated),
            (with(&[(21, 1)]), Discard::Version),
            (with(&[(20, 0x40)]), Discard::ReservedBits),
            (with(&[(20, 0x20)]), Discard::Key),
            (with(&[(20, 0x10)]), Discard::Sequence),
            (with(&[(22, 0x86), (23, 0xdd)]), Discard::Protocol),
            (with(&[(20, 0x80)]), Discard::Checksum),
            (with(&[(24, 0x60)]), Discard::InnerMalformed),
            (with(&[(27, 31)]), Discard::InnerMalformed),
        ];
        for (mut packet, discard) in cases {
            let found = decapsulate(&mut packet).map(|_| ()).unwrap_err();
            assert_eq!(found, discard, "{packet:02x?}");
        }
    }

    #[test]
    fn padding_does_not_come_through() {
        let inner = inner(0);
        let mut padded = inner.clone();
        padded.extend([0; 6]);
        // The inner total length is smaller than what was carried.
        let mut packet = [&encapsulate(&spec(), &[], &padded).unwrap()[..], &padded].concat();
        assert_eq!(decapsulate(&mut packet).unwrap().finish(), Ok(&mut inner.clone()[..]));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(payload in proptest::collection::vec(any::<u8>(), 0..1456), tos in 0u8..=255) {
            let packet = ipv4::packet([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 17, &payload).unwrap();
            let header = Header { tos, ..Header::decode(&packet).unwrap() };
            let mut inner = packet.clone();
            inner[..20].copy_from_slice(&header.encode());
            let mut packet = carried(&inner, tos & ECN);
            prop_assert_eq!(decapsulate(&mut packet).unwrap().finish(), Ok(&mut inner[..]));
        }

        #[test]
        fn any_bytes_are_taken_or_thrown_away(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decapsulate(&mut bytes).map(|arrived| arrived.finish().map(|_| ()));
            if bytes.len() > 2 {
                bytes[0] = 0x45;
                bytes[2] = 0;
            }
            let _ = decapsulate(&mut bytes).map(|arrived| arrived.finish().map(|_| ()));
        }
    }
}

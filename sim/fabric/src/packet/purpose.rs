//! The purpose of a packet: a probe of a product, a flow that a sender has marked, or anything else.
//!
//! The mark stands in the payload of ICMP echo and UDP, behind the octets that distinguish a sender's own packets
//! ([`dz_net::probe::TAG_OFFSET`]). It is looked for inside GRE, too, and in what an ICMP error quotes.

use dz_net::probe::{TAG, TAG_OFFSET};

use super::ipv4::{self, GRE, HEADER_LEN, ICMP, UDP, word};
use crate::counters::{FlowNumber, Purpose};

/// How far headers are followed: GRE, and what an error in it quotes.
const DEPTH: usize = 3;

/// The purpose of a packet that begins with an IPv4 header. Later fragments and what is cut off have none of their own.
pub(crate) fn purpose(bytes: &[u8]) -> Purpose {
    inner(bytes, DEPTH).unwrap_or(Purpose::Other)
}

fn inner(bytes: &[u8], depth: usize) -> Option<Purpose> {
    let depth = depth.checked_sub(1)?;
    if bytes.len() < HEADER_LEN || bytes[0] >> 4 != 4 || word(bytes, 6) & 0x1fff != 0 {
        return None;
    }
    let payload = bytes.get(usize::from(bytes[0] & 0x0f) * 4..)?;
    match bytes[9] {
        GRE => inner(ipv4::gre_payload(payload)?, depth),
        UDP => marked(payload.get(8..)?),
        ICMP => match *payload.first()? {
            // Echo and its answer.
            0 | 8 => marked(payload.get(8..)?),
            // Unreachable, time exceeded, parameter problem: they quote what they are about.
            3 | 11 | 12 => inner(payload.get(8..)?, depth),
            _ => None,
        },
        _ => None,
    }
}

fn marked(payload: &[u8]) -> Option<Purpose> {
    let tag = payload.get(TAG_OFFSET..)?.first_chunk::<8>()?;
    if *tag == TAG {
        return Some(Purpose::Probe);
    }
    FlowNumber::from_tag(*tag).map(Purpose::Flow)
}

#[cfg(test)]
mod tests {
    use dz_net::wire::icmp;

    use super::*;
    use crate::packet::ipv4::tests::packet;

    fn with(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = packet(protocol, [192, 0, 2, 1], [192, 0, 2, 2], payload.len());
        bytes.truncate(HEADER_LEN);
        bytes.extend(payload);
        bytes
    }

    fn echo(tag: [u8; 8]) -> Vec<u8> {
        let mut payload = vec![0; 56];
        payload[TAG_OFFSET..TAG_OFFSET + 8].copy_from_slice(&tag);
        with(ICMP, &icmp::echo(false, 1, 2, &payload))
    }

    fn in_gre(packet: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 0, 8, 0];
        payload.extend(packet);
        with(GRE, &payload)
    }

    fn quoted(packet: &[u8]) -> Vec<u8> {
        let mut payload = vec![3, 1, 0, 0, 0, 0, 0, 0];
        payload.extend(packet);
        with(ICMP, &payload)
    }

    #[test]
    fn probes_are_known_wherever_they_are() {
        let probe = echo(TAG);
        for bytes in [probe.clone(), in_gre(&probe), quoted(&probe), in_gre(&quoted(&probe)), quoted(&in_gre(&probe))] {
            assert_eq!(purpose(&bytes), Purpose::Probe);
        }
    }

    #[test]
    fn a_flow_is_known_by_its_number() {
        let flow = FlowNumber::new(700);
        assert_eq!(purpose(&echo(flow.tag())), Purpose::Flow(flow));
        let mut datagram = vec![0; 8 + 64];
        datagram[8 + TAG_OFFSET..8 + TAG_OFFSET + 8].copy_from_slice(&flow.tag());
        assert_eq!(purpose(&in_gre(&with(UDP, &datagram))), Purpose::Flow(flow));
    }

    #[test]
    fn anything_else_is_nobodys() {
        let probe = echo(TAG);
        let mut later = probe.clone();
        later[7] = 1;
        for bytes in [echo([0; 8]), probe[..HEADER_LEN + 20].to_vec(), later, with(UDP, &[0; 10]), vec![0x45], vec![]] {
            assert_eq!(purpose(&bytes), Purpose::Other, "{bytes:?}");
        }
    }
}

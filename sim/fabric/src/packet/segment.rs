//! Cutting the large segments that a kernel leaves to the device into the packets they stand for.

use dz_net::wire::checksum::Sum;

use super::ipv4::{self, Header};
use super::{Offload, Packet, Transport};

const TCP_FIN: u8 = 0x01;
const TCP_PSH: u8 = 0x08;
const TCP_CWR: u8 = 0x80;

/// Bytes of the IP and transport headers; `None` if they are not whole, or of another transport.
pub(crate) fn headers_len(bytes: &[u8], ip: &Header, transport: Transport) -> Option<usize> {
    let (protocol, least, transport_len) = match transport {
        Transport::Tcp { .. } => (ipv4::TCP, 20, usize::from(*bytes.get(ip.header_length + 12)? >> 4) * 4),
        Transport::Udp => (ipv4::UDP, 8, 8),
    };
    let len = ip.header_length + transport_len;
    let whole = transport_len >= least && len <= usize::from(ip.total_length);
    (whole && ip.protocol == protocol && !ip.is_later_fragment()).then_some(len)
}

/// The packets that `packet`, whose header is `ip`, stands for: one, unless the sender left it to be cut. The checksum
/// of each is still left to the device if that of the whole was.
pub(crate) fn segment(mut packet: Packet, ip: &Header) -> Vec<Packet> {
    let headers = packet.offload.segments.and_then(|s| Some((s, headers_len(&packet.bytes, ip, s.transport)?)));
    let Some((segments, headers_len)) = headers else {
        packet.offload.segments = None;
        return vec![packet];
    };
    let (headers, payload) = packet.bytes.split_at(headers_len);
    let chunks = payload.chunks(usize::from(segments.size.max(1)));
    let count = chunks.len();
    let identification = ipv4::word(headers, 4);
    chunks
        .enumerate()
        .map(|(i, chunk)| {
            let mut bytes = Vec::with_capacity(headers_len + chunk.len());
            bytes.extend_from_slice(headers);
            bytes.extend_from_slice(chunk);
            let total = bytes.len() as u16;
            bytes[2..4].copy_from_slice(&total.to_be_bytes());
            bytes[4..6].copy_from_slice(&identification.wrapping_add(i as u16).to_be_bytes());
            ipv4::seal(&mut bytes[..ip.header_length]);
            let transport = &mut bytes[ip.header_length..];
            match segments.transport {
                Transport::Tcp { .. } => tcp_header(transport, i, i + 1 == count, usize::from(segments.size)),
                Transport::Udp => {
                    let length = transport.len() as u16;
                    transport[4..6].copy_from_slice(&length.to_be_bytes());
                }
            }
            seal_transport(transport, ip, packet.offload.checksum.is_some());
            let offload = Offload { checksum: packet.offload.checksum, segments: None };
            Packet { bytes, offload, recorded: packet.recorded }
        })
        .collect()
}

/// Makes the header of the whole that of its segment number `i`.
fn tcp_header(header: &mut [u8], i: usize, last: bool, size: usize) {
    let sequence = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let sequence = sequence.wrapping_add((i * size) as u32);
    header[4..8].copy_from_slice(&sequence.to_be_bytes());
    if !last {
        header[13] &= !(TCP_FIN | TCP_PSH);
    }
    // RFC 3168 section 6.1.2: the window reduction is told once.
    if i > 0 {
        header[13] &= !TCP_CWR;
    }
}

/// Sets the checksum of a transport header and its payload, or what the device starts from.
fn seal_transport(transport: &mut [u8], ip: &Header, partial: bool) {
    let at = if ip.protocol == ipv4::TCP { 16 } else { 6 };
    transport[at..at + 2].fill(0);
    let pseudo = Sum::new().pseudo_header(ip.source, ip.destination, ip.protocol, transport.len() as u16);
    let sum = if partial {
        pseudo.folded()
    } else {
        match pseudo.bytes(transport).finish() {
            // RFC 768: zero would mean that there is none.
            0 if ip.protocol == ipv4::UDP => 0xffff,
            sum => sum,
        }
    };
    transport[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::ipv4::tests::packet;
    use crate::packet::{Offload, PartialChecksum, Segments};

    fn tcp(payload: usize, size: u16) -> Packet {
        let mut bytes = packet(ipv4::TCP, [192, 0, 2, 1], [192, 0, 2, 2], 20 + payload);
        bytes[20..40].fill(0);
        bytes[24..28].copy_from_slice(&u32::MAX.to_be_bytes());
        bytes[32] = 0x50;
        bytes[33] = TCP_FIN | TCP_PSH | TCP_CWR | 0x10;
        let offload = Offload {
            checksum: Some(PartialChecksum { start: 20, offset: 16 }),
            segments: Some(Segments { transport: Transport::Tcp { ecn: true }, size }),
        };
        Packet { bytes, offload, recorded: false }
    }

    fn transport_sum(packet: &Packet) -> u16 {
        let ip = ipv4::parse(&packet.bytes).unwrap();
        let transport = &packet.bytes[ip.header_length..];
        let pseudo = Sum::new().pseudo_header(ip.source, ip.destination, ip.protocol, transport.len() as u16);
        pseudo.bytes(transport).finish()
    }

    #[test]
    fn tcp_is_cut_into_packets_that_stand_alone() {
        let whole = tcp(2500, 1000);
        let ip = ipv4::parse(&whole.bytes).unwrap();
        let wire = whole.on_wire(&ip);
        let mut parts = segment(whole.clone(), &ip);
        let left = Offload { checksum: whole.offload.checksum, segments: None };
        assert!(parts.iter().all(|part| part.offload == left));
        parts.iter_mut().for_each(Packet::complete_checksum);
        assert_eq!((wire.packets, wire.bytes, wire.largest), (3, 2500 + 3 * 40, 1040));
        assert_eq!(parts.iter().map(|part| part.bytes.len()).collect::<Vec<_>>(), [1040, 1040, 540]);
        let sequences: Vec<_> = parts.iter().map(|part| part.bytes[24..28].to_vec()).collect();
        assert_eq!(sequences, [[255; 4], [0, 0, 3, 231], [0, 0, 7, 207]]);
        let flags: Vec<_> = parts.iter().map(|part| part.bytes[33]).collect();
        assert_eq!(flags, [0x90, 0x10, 0x10 | TCP_FIN | TCP_PSH]);
        let identifications: Vec<_> = parts.iter().map(|part| ipv4::word(&part.bytes, 4)).collect();
        assert_eq!(identifications, [0x1234, 0x1235, 0x1236]);
        assert!(parts.iter().all(|part| transport_sum(part) == 0));
        let payload: Vec<u8> = parts.iter().flat_map(|part| part.bytes[40..].to_vec()).collect();
        assert_eq!(payload, whole.bytes[40..]);
    }

    #[test]
    fn udp_is_cut_into_datagrams() {
        let mut whole = packet(ipv4::UDP, [192, 0, 2, 1], [192, 0, 2, 2], 8 + 250);
        whole[20..28].fill(0);
        let segments = Some(Segments { transport: Transport::Udp, size: 100 });
        let ip = ipv4::parse(&whole).unwrap();
        for checksum in [None, Some(PartialChecksum { start: 20, offset: 6 })] {
            let offload = Offload { checksum, segments };
            let mut parts = segment(Packet { bytes: whole.clone(), offload, recorded: false }, &ip);
            let lengths: Vec<_> = parts.iter().map(|part| ipv4::word(&part.bytes, 24)).collect();
            assert_eq!(lengths, [108, 108, 58]);
            parts.iter_mut().for_each(Packet::complete_checksum);
            assert!(parts.iter().all(|part| transport_sum(part) == 0));
        }
    }

    #[test]
    fn a_partial_checksum_is_completed() {
        let mut whole = tcp(100, 1000);
        whole.offload.segments = None;
        let ip = ipv4::parse(&whole.bytes).unwrap();
        // What the kernel leaves in the field: the folded sum of the pseudo header.
        let pseudo = Sum::new().pseudo_header(ip.source, ip.destination, ipv4::TCP, 120);
        whole.bytes[36..38].copy_from_slice(&pseudo.folded().to_be_bytes());
        whole.complete_checksum();
        assert_eq!((transport_sum(&whole), whole.offload), (0, Offload::default()));
    }
}

//! The reverse of [`super::segment`]: joining TCP packets that arrive together into one large segment, which costs
//! the receiving kernel hardly more than one of them. Only packets whose checksum the fabric was trusted with are
//! joined, so that a wrong one stays wrong.

use dz_net::wire::checksum::Sum;

use super::ipv4;
use super::{Packet, PartialChecksum, Segments, Transport};

const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// The headers of a packet that may be joined.
struct Headers {
    ip_len: usize,
    /// Of IP and TCP.
    len: usize,
}

/// Appends `next` to `packet` if they are neighbours in one TCP stream and together still a packet; else changes
/// nothing and returns false.
pub(crate) fn merge(packet: &mut Packet, next: &Packet) -> bool {
    let Some(headers) = joinable(packet) else { return false };
    if next.offload.segments.is_some() || next.bytes.len() <= headers.len || joinable(next).is_none() {
        return false;
    }
    let (payload, added) = (packet.bytes.len() - headers.len, next.bytes.len() - headers.len);
    let size = packet.offload.segments.map_or(payload, |segments| usize::from(segments.size));
    let is_full = payload > 0 && payload % size == 0;
    if !is_full || added > size || packet.bytes.len() + added > usize::from(u16::MAX) {
        return false;
    }
    if !follows(&packet.bytes, &next.bytes, &headers, payload) {
        return false;
    }
    packet.bytes[headers.ip_len + 13] |= next.bytes[headers.ip_len + 13];
    packet.bytes.extend_from_slice(&next.bytes[headers.len..]);
    let segments = Segments { transport: Transport::Tcp { ecn: false }, size: size as u16 };
    packet.offload.segments = Some(segments);
    seal(&mut packet.bytes, headers.ip_len);
    true
}

/// The headers, if the packet is plain TCP data that another may follow.
fn joinable(packet: &Packet) -> Option<Headers> {
    let bytes = &packet.bytes;
    let ip_len = usize::from(bytes.first()? & 0x0f) * 4;
    let is_tcp = bytes.len() >= ip_len + 20 && bytes[9] == ipv4::TCP;
    // Nothing of a fragmented packet: neither a later fragment nor more of them.
    if !is_tcp || ipv4::word(bytes, 6) & 0x3fff != 0 {
        return None;
    }
    let len = ip_len + usize::from(bytes[ip_len + 12] >> 4) * 4;
    let checksum = PartialChecksum { start: ip_len as u16, offset: 16 };
    let transport = packet.offload.segments.is_none_or(|s| s.transport == Transport::Tcp { ecn: false });
    let whole = packet.offload.checksum == Some(checksum) && len <= bytes.len() && transport;
    // Data and nothing special; pushed data ends a segment.
    let plain = whole && matches!(bytes[ip_len + 13] & !PSH, ACK);
    plain.then_some(Headers { ip_len, len })
}

/// Whether `next` continues `bytes`: the same headers but for what counts up.
fn follows(bytes: &[u8], next: &[u8], headers: &Headers, payload: usize) -> bool {
    let ip = headers.ip_len;
    let sequence = |of: &[u8]| u32::from_be_bytes([of[ip + 4], of[ip + 5], of[ip + 6], of[ip + 7]]);
    let same = |range: std::ops::Range<usize>| bytes[range.clone()] == next[range];
    // Version, length of header and kind of service; flags, TTL and protocol; addresses, options and ports;
    // acknowledgement and length of header; window; TCP options.
    same(0..2)
        && same(6..10)
        && same(12..ip + 4)
        && same(ip + 8..ip + 13)
        && same(ip + 14..ip + 16)
        && same(ip + 20..headers.len)
        && bytes[ip + 13] & PSH == 0
        && sequence(next) == sequence(bytes).wrapping_add(payload as u32)
}

/// Sets the lengths and checksums of a packet that grew. The TCP checksum is left to the device.
fn seal(bytes: &mut [u8], ip_len: usize) {
    let total = bytes.len() as u16;
    bytes[2..4].copy_from_slice(&total.to_be_bytes());
    ipv4::seal(&mut bytes[..ip_len]);
    let (source, destination) = (ipv4::address(bytes, 12), ipv4::address(bytes, 16));
    let pseudo = Sum::new().pseudo_header(source, destination, ipv4::TCP, total - ip_len as u16);
    bytes[ip_len + 16..ip_len + 18].copy_from_slice(&pseudo.folded().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::Offload;
    use crate::packet::ipv4;
    use crate::packet::ipv4::tests::packet;
    use crate::packet::segment::segment;

    /// A large segment as a kernel hands it over.
    fn large(payload: usize, size: u16) -> Packet {
        let mut bytes = packet(ipv4::TCP, [192, 0, 2, 1], [192, 0, 2, 2], 32 + payload);
        bytes[20..52].fill(0);
        bytes[24..28].copy_from_slice(&(u32::MAX - 1000).to_be_bytes());
        bytes[32] = 0x80;
        bytes[33] = ACK | PSH;
        seal(&mut bytes, 20);
        let offload = Offload {
            checksum: Some(PartialChecksum { start: 20, offset: 16 }),
            segments: Some(Segments { transport: Transport::Tcp { ecn: false }, size }),
        };
        Packet { bytes, offload, recorded: false }
    }

    fn parts(whole: &Packet) -> Vec<Packet> {
        segment(whole.clone(), &ipv4::parse(&whole.bytes).unwrap())
    }

    proptest! {
        #[test]
        fn what_was_cut_is_joined_to_the_same(payload in 2usize..60_000, size in 100u16..2000) {
            let whole = large(payload, size);
            let mut parts = parts(&whole).into_iter();
            let mut joined = parts.next().unwrap();
            for part in parts {
                prop_assert!(merge(&mut joined, &part));
            }
            prop_assume!(payload > usize::from(size));
            prop_assert_eq!(joined, whole);
        }
    }

    #[test]
    fn only_the_next_of_the_same_stream_is_joined() {
        let parts = parts(&large(4000, 1000));
        let refused = |change: &dyn Fn(&mut Packet)| {
            let (mut first, mut second) = (parts[0].clone(), parts[1].clone());
            change(&mut second);
            assert!(!merge(&mut first, &second));
            assert_eq!(first, parts[0]);
        };
        refused(&|next| *next = parts[2].clone());
        refused(&|next| *next = parts[0].clone());
        refused(&|next| next.bytes[23] ^= 1);
        refused(&|next| next.bytes[8] -= 1);
        refused(&|next| next.bytes[1] ^= 3);
        refused(&|next| next.bytes[19] ^= 1);
        refused(&|next| next.bytes[33] |= 1);
        refused(&|next| next.bytes[31] ^= 1);
        refused(&|next| next.bytes[45] ^= 1);
        refused(&|next| next.bytes.push(0));
        refused(&|next| next.bytes.truncate(52));
        refused(&|next| next.complete_checksum());
        let (mut short, mut pushed) = (parts[0].clone(), parts[0].clone());
        short.bytes.truncate(900);
        assert!(!merge(&mut short, &parts[1]));
        pushed.bytes[33] |= PSH;
        assert!(!merge(&mut pushed, &parts[1]));
    }

    #[test]
    fn nothing_grows_beyond_a_packet() {
        let mut joined = large(65_000 - 52, 1000);
        joined.bytes.truncate(64_052);
        joined.bytes[33] = ACK;
        seal(&mut joined.bytes, 20);
        let mut next = parts(&large(2000, 1000)).remove(0);
        let sequence = (u32::MAX - 1000).wrapping_add(64_000);
        next.bytes[24..28].copy_from_slice(&sequence.to_be_bytes());
        assert!(merge(&mut joined, &next));
        let sequence = sequence.wrapping_add(1000);
        next.bytes[24..28].copy_from_slice(&sequence.to_be_bytes());
        assert!(!merge(&mut joined, &next));
    }
}

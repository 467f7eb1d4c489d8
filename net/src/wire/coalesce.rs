//! Joining TCP segments, as a network card does on receive: the counterpart of [`super::offload::segments`].

use std::net::Ipv4Addr;

use super::checksum::Sum;
use super::ipv4::{self, Header};
use super::offload::{ACK, GSO_TCP4, NEEDS_CHECKSUM, PSH, TCP, TCP_CHECKSUM, TCP_MIN_HEADER, VirtioHeader};

/// What the segments of one stream have in common; those that differ in it are not joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stream {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ports: u32,
}

/// Segments joined so far.
#[derive(Debug)]
struct Joined<K> {
    key: K,
    stream: Stream,
    /// IP and TCP headers of the first segment, and the payload of all.
    packet: Vec<u8>,
    tcp_start: usize,
    payload_start: usize,
    next_sequence: u32,
    /// Payload of each segment but the last.
    size: usize,
    segments: usize,
    /// No more can follow: the last was short, or ended a push.
    full: bool,
}

/// A TCP segment with data, as far as joining looks at it.
struct Segment<'a> {
    stream: Stream,
    ip: Header,
    tcp_start: usize,
    payload_start: usize,
    sequence: u32,
    flags: u8,
    packet: &'a [u8],
}

/// Joins consecutive TCP segments of the same stream and key. Packets of one stream come out in the order they went in;
/// the rest is handed on at once.
#[derive(Debug)]
pub struct Coalescer<K> {
    open: Vec<Joined<K>>,
    /// Emptied buffers, kept for the next.
    spare: Vec<Vec<u8>>,
}

/// Streams that are joined at a time.
const STREAMS: usize = 8;

impl<K: Copy + PartialEq> Default for Coalescer<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + PartialEq> Coalescer<K> {
    /// Nothing joined yet.
    pub fn new() -> Self {
        Self { open: Vec::with_capacity(STREAMS), spare: Vec::new() }
    }

    /// Takes a packet. What is not held back to be joined with what may follow is handed to `emit` with its key.
    pub fn push(&mut self, key: K, packet: &[u8], emit: &mut impl FnMut(K, VirtioHeader, &[u8])) {
        let Some(header) = Header::decode(packet).ok().filter(|ip| ip.protocol == TCP && !ip.is_fragment()) else {
            return emit(key, VirtioHeader::default(), packet);
        };
        let Some(stream) = stream_of(&header, packet) else {
            return emit(key, VirtioHeader::default(), packet);
        };
        let segment = Segment::read(header, stream, packet);
        if let Some(at) = self.open.iter().position(|joined| joined.key == key && joined.stream == stream) {
            if let Some(segment) = &segment
                && self.open[at].takes(segment)
            {
                self.open[at].append(segment);
                return;
            }
            // In order: what was held back of the stream goes first.
            self.emit(at, emit);
        }
        match segment {
            Some(segment) => {
                if self.open.len() == STREAMS {
                    self.emit(0, emit);
                }
                let buffer = self.spare.pop().unwrap_or_default();
                self.open.push(Joined::new(key, &segment, buffer));
            }
            None => emit(key, VirtioHeader::default(), packet),
        }
    }

    /// Hands out all that is held back.
    pub fn flush(&mut self, emit: &mut impl FnMut(K, VirtioHeader, &[u8])) {
        while !self.open.is_empty() {
            self.emit(0, emit);
        }
    }

    fn emit(&mut self, at: usize, emit: &mut impl FnMut(K, VirtioHeader, &[u8])) {
        let mut joined = self.open.remove(at);
        let header = joined.finish();
        emit(joined.key, header, &joined.packet);
        joined.packet.clear();
        self.spare.push(joined.packet);
    }
}

fn stream_of(header: &Header, packet: &[u8]) -> Option<Stream> {
    let ports = packet.get(header.header_length..header.header_length + 4)?;
    let ports = u32::from_be_bytes(ports.try_into().ok()?);
    Some(Stream { source: header.source, destination: header.destination, ports })
}

impl<'a> Segment<'a> {
    /// None for what is never joined: no data, flags other than ACK and PSH, IP options, or a wrong checksum.
    fn read(ip: Header, stream: Stream, packet: &'a [u8]) -> Option<Self> {
        let packet = packet.get(..usize::from(ip.total_length))?;
        let tcp_start = ip.header_length;
        let tcp = packet.get(tcp_start..)?;
        let payload = usize::from(tcp.get(12)? >> 4) * 4;
        let flags = *tcp.get(13)?;
        if tcp_start != ipv4::HEADER_LEN || payload < TCP_MIN_HEADER || payload >= tcp.len() || flags & !PSH != ACK {
            return None;
        }
        let length = u16::try_from(tcp.len()).ok()?;
        let sum = Sum::new().pseudo_header(ip.source, ip.destination, TCP, length).bytes(tcp);
        if sum.folded() != 0xffff {
            return None;
        }
        let sequence = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
        Some(Self { stream, ip, tcp_start, payload_start: tcp_start + payload, sequence, flags, packet })
    }

    fn payload(&self) -> &'a [u8] {
        &self.packet[self.payload_start..]
    }
}

impl<K> Joined<K> {
    fn new(key: K, segment: &Segment<'_>, mut packet: Vec<u8>) -> Self {
        packet.extend_from_slice(segment.packet);
        let size = segment.payload().len();
        Self {
            key,
            stream: segment.stream,
            packet,
            tcp_start: segment.tcp_start,
            payload_start: segment.payload_start,
            next_sequence: segment.sequence.wrapping_add(size as u32),
            size,
            segments: 1,
            full: segment.flags & PSH != 0,
        }
    }

    /// Whether a segment of the same stream continues this one with the same headers.
    fn takes(&self, segment: &Segment<'_>) -> bool {
        let (ours, theirs) = (&self.packet, segment.packet);
        let tcp = self.tcp_start;
        let data = segment.payload().len();
        !self.full
            && segment.sequence == self.next_sequence
            && segment.payload_start == self.payload_start
            && data <= self.size
            && self.packet.len() + data <= usize::from(u16::MAX)
            // TOS, TTL and the bits of the fragment word.
            && (ours[1], ours[8], ours[6]) == (theirs[1], theirs[8], theirs[6])
            // Acknowledgement, the bits beside the header's length (of which ECN has one, RFC 9768), window, and options,
            // with time stamps among them.
            && ours[tcp + 8..tcp + 13] == theirs[tcp + 8..tcp + 13]
            && ours[tcp + 14..tcp + 16] == theirs[tcp + 14..tcp + 16]
            && ours[tcp + TCP_MIN_HEADER..self.payload_start] == theirs[tcp + TCP_MIN_HEADER..self.payload_start]
            && segment.ip.header_length == ipv4::HEADER_LEN
    }

    fn append(&mut self, segment: &Segment<'_>) {
        let data = segment.payload();
        self.packet.extend_from_slice(data);
        self.next_sequence = self.next_sequence.wrapping_add(data.len() as u32);
        self.segments += 1;
        if segment.flags & PSH != 0 {
            self.packet[self.tcp_start + 13] |= PSH;
            self.full = true;
        }
        self.full |= data.len() < self.size;
    }

    /// Completes the headers of what was joined; one segment alone stays as it came.
    fn finish(&mut self) -> VirtioHeader {
        if self.segments == 1 {
            return VirtioHeader::default();
        }
        let total = self.packet.len() as u16;
        self.packet[2..4].copy_from_slice(&total.to_be_bytes());
        self.packet[10..12].fill(0);
        let sum = Sum::new().bytes(&self.packet[..self.tcp_start]).finish();
        self.packet[10..12].copy_from_slice(&sum.to_be_bytes());
        let length = total - self.tcp_start as u16;
        let pseudo = Sum::new().pseudo_header(self.stream.source, self.stream.destination, TCP, length).folded();
        let at = self.tcp_start + TCP_CHECKSUM;
        self.packet[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
        VirtioHeader {
            flags: NEEDS_CHECKSUM,
            gso_type: GSO_TCP4,
            header_length: self.payload_start as u16,
            gso_size: self.size as u16,
            checksum_start: self.tcp_start as u16,
            checksum_offset: TCP_CHECKSUM as u16,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Cutting is tested here as well, on the same segments.

    use super::super::offload::{FIN, OffloadError, segments};
    use super::*;
    use proptest::prelude::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    /// A whole TCP segment with 12 bytes of options.
    fn segment(port: u16, sequence: u32, flags: u8, window: u16, payload: &[u8]) -> Vec<u8> {
        let mut tcp = vec![0; 32];
        tcp[..2].copy_from_slice(&port.to_be_bytes());
        tcp[2..4].copy_from_slice(&443u16.to_be_bytes());
        tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
        tcp[12] = 8 << 4;
        tcp[13] = flags;
        tcp[14..16].copy_from_slice(&window.to_be_bytes());
        tcp[20..32].copy_from_slice(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
        tcp.extend_from_slice(payload);
        let sum = Sum::new().pseudo_header(A, B, TCP, tcp.len() as u16).bytes(&tcp).finish();
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        ipv4::packet(A, B, TCP, &tcp).unwrap()
    }

    fn coalesce(packets: &[Vec<u8>]) -> Vec<(VirtioHeader, Vec<u8>)> {
        let mut out = Vec::new();
        let mut emit = |(), header: VirtioHeader, packet: &[u8]| out.push((header, packet.to_vec()));
        let mut coalescer = Coalescer::new();
        for packet in packets {
            coalescer.push((), packet, &mut emit);
        }
        coalescer.flush(&mut emit);
        out
    }

    fn cut(header: VirtioHeader, packet: &[u8]) -> Vec<Vec<u8>> {
        let mut frame = [&header.encode()[..], packet].concat();
        let mut out = Vec::new();
        segments(&mut frame, |headers, payload| out.push([headers, payload].concat())).unwrap();
        out
    }

    /// Without the identification, which joining does not keep, and so without the checksum.
    fn comparable(mut packet: Vec<u8>) -> Vec<u8> {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
        packet
    }

    #[test]
    fn consecutive_segments_are_joined_and_cut_again() {
        let data: Vec<u8> = (0..=255).cycle().take(3500).collect();
        let packets: Vec<_> = data
            .chunks(1000)
            .enumerate()
            .map(|(i, chunk)| segment(80, i as u32 * 1000, if i == 3 { ACK | PSH } else { ACK }, 500, chunk))
            .collect();
        let joined = coalesce(&packets);
        assert_eq!(joined.len(), 1);
        let (header, packet) = &joined[0];
        let expected = VirtioHeader {
            flags: 1,
            gso_type: 1,
            header_length: 52,
            gso_size: 1000,
            checksum_start: 20,
            checksum_offset: 16,
        };
        assert_eq!((*header, packet.len()), (expected, 52 + 3500));
        assert_eq!(header.on_the_wire(packet.len()), (4, 4 * 52 + 3500));
        assert_eq!(Header::decode_checked(packet).map(|h| h.total_length), Ok(3552));
        let again: Vec<_> = cut(*header, packet).into_iter().map(comparable).collect();
        assert_eq!(again, packets.into_iter().map(comparable).collect::<Vec<_>>());
    }

    #[test]
    fn what_does_not_continue_is_not_joined() {
        let first = segment(80, 0, ACK, 500, &[1; 100]);
        let wrong_checksum = {
            let mut packet = segment(80, 100, ACK, 500, &[2; 100]);
            packet[60] ^= 1;
            packet
        };
        let other_ttl = {
            let mut packet = segment(80, 100, ACK, 500, &[2; 100]);
            assert!(ipv4::decrement_ttl(&mut packet));
            packet
        };
        let other_ecn = {
            let mut tcp = segment(80, 100, ACK, 500, &[2; 100]).split_off(20);
            tcp[12] |= 1;
            tcp[16..18].fill(0);
            let sum = Sum::new().pseudo_header(A, B, TCP, tcp.len() as u16).bytes(&tcp).finish();
            tcp[16..18].copy_from_slice(&sum.to_be_bytes());
            ipv4::packet(A, B, TCP, &tcp).unwrap()
        };
        let cases = [
            ("a gap", segment(80, 101, ACK, 500, &[2; 100])),
            ("a larger one", segment(80, 100, ACK, 500, &[2; 101])),
            ("another window", segment(80, 100, ACK, 501, &[2; 100])),
            ("an end", segment(80, 100, ACK | FIN, 500, &[2; 100])),
            ("no data", segment(80, 100, ACK, 500, &[])),
            ("another stream", segment(81, 100, ACK, 500, &[2; 100])),
            ("a wrong checksum", wrong_checksum),
            ("another ttl", other_ttl),
            ("another count of marks", other_ecn),
        ];
        for (name, second) in cases {
            let out = coalesce(&[first.clone(), second.clone()]);
            let plain = VirtioHeader::default();
            assert_eq!(out, [(plain, first.clone()), (plain, second)], "{name}");
        }
        // After a short one and after a push nothing follows.
        let short = segment(80, 100, ACK, 500, &[2; 50]);
        let after = segment(80, 150, ACK, 500, &[3; 50]);
        assert_eq!(coalesce(&[first.clone(), short, after]).len(), 2);
        let push = segment(80, 0, ACK | PSH, 500, &[1; 100]);
        assert_eq!(coalesce(&[push, segment(80, 100, ACK, 500, &[2; 100])]).len(), 2);
    }

    #[test]
    fn a_missing_checksum_is_completed() {
        let mut packet = segment(80, 7, ACK, 500, b"odd");
        let whole = packet.clone();
        let pseudo = Sum::new().pseudo_header(A, B, TCP, 35).folded();
        packet[36..38].copy_from_slice(&pseudo.to_be_bytes());
        let header = VirtioHeader { flags: 1, checksum_start: 20, checksum_offset: 16, ..VirtioHeader::default() };
        assert_eq!(cut(header, &packet), [whole]);
    }

    #[test]
    fn each_wrong_frame_says_what_is_wrong() {
        let error = |header: VirtioHeader, packet: &[u8]| {
            let mut frame = [&header.encode()[..], packet].concat();
            segments(&mut frame, |_, _| {}).unwrap_err()
        };
        let plain = VirtioHeader::default();
        assert_eq!(segments(&mut [0; 9], |_, _| {}), Err(OffloadError::Truncated(9)));
        let gso = VirtioHeader { gso_type: GSO_TCP4, gso_size: 100, ..plain };
        assert_eq!(error(gso, &[0x45; 10]), OffloadError::Truncated(20));
        assert_eq!(error(VirtioHeader { gso_type: 3, ..plain }, &[]), OffloadError::GsoType(3));
        let udp = ipv4::packet(A, B, 17, &[0; 20]).unwrap();
        assert_eq!(error(gso, &udp), OffloadError::Segments { protocol: 17, size: 100 });
        let tcp = segment(80, 0, ACK, 1, &[0; 8]);
        let sizeless = VirtioHeader { gso_size: 0, ..gso };
        assert_eq!(error(sizeless, &tcp), OffloadError::Segments { protocol: 6, size: 0 });
        let outside = VirtioHeader { flags: 1, checksum_start: 60, checksum_offset: 16, ..plain };
        assert_eq!(error(outside, &tcp), OffloadError::Truncated(70));
    }

    proptest! {
        #[test]
        fn streams_come_out_as_they_went_in(
            pieces in proptest::collection::vec((0u16..3, 1usize..5, any::<bool>()), 1..60),
        ) {
            let mut next = [0u32; 3];
            let mut packets = Vec::new();
            for (stream, size, push) in pieces {
                let payload = vec![stream as u8; size * 100];
                let flags = if push { ACK | PSH } else { ACK };
                let at = &mut next[usize::from(stream)];
                packets.push(segment(80 + stream, *at, flags, 500, &payload));
                *at += payload.len() as u32;
            }
            let out: Vec<_> = coalesce(&packets).iter().flat_map(|(header, packet)| cut(*header, packet)).collect();
            for stream in 0..3u16 {
                let of = |packets: &[Vec<u8>]| -> Vec<Vec<u8>> {
                    let port = (80 + stream).to_be_bytes();
                    packets.iter().filter(|p| p[20..22] == port).cloned().map(comparable).collect()
                };
                prop_assert_eq!(of(&out), of(&packets));
            }
        }

        #[test]
        fn any_bytes_are_handled(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), tcp: bool) {
            if tcp && bytes.len() > 20 {
                bytes[1] = GSO_TCP4;
                bytes[10] = 0x45;
                let length = bytes.len() as u16 - 10;
                bytes[12..14].copy_from_slice(&length.to_be_bytes());
                bytes[19] = TCP;
            }
            let _ = coalesce(&[bytes.clone(), bytes.get(10..).unwrap_or_default().to_vec()]);
            let _ = segments(&mut bytes, |_, _| {});
        }
    }
}

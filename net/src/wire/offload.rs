//! Segmentation offload in userspace: what a network card would do to the packets of a TUN device.
//!
//! With a virtio header in front of each packet, the kernel hands over TCP data in pieces of up to 64 KiB and leaves the
//! checksum to the reader: [`segments`] cuts them to what the path takes. The other way round, [`Coalescer`] joins the
//! segments of a stream before they are written, so that the kernel goes through its stack once for many of them.
//! Nothing here changes what a receiver sees: the same bytes with the same boundaries on the wire, and a segment is
//! joined only if its checksum is right.

use std::net::Ipv4Addr;

use super::checksum::Sum;
use super::ipv4::{self, Header};

/// Length of a virtio header, in bytes.
pub const VIRTIO_HEADER_LEN: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCP4: u8 = 1;
/// Set in addition if the stream uses ECN.
const GSO_ECN: u8 = 0x80;

const TCP: u8 = 6;
const TCP_MIN_HEADER: usize = 20;
const TCP_CHECKSUM: usize = 16;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const CWR: u8 = 0x80;

/// `struct virtio_net_hdr`: what is still to be done to the packet behind it. Offsets are from the packet's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtioHeader {
    /// Bit 0: the checksum at `checksum_start + checksum_offset` holds the pseudo header's sum only.
    pub flags: u8,
    /// 0 for a packet as it is, 1 for joined TCP segments.
    pub gso_type: u8,
    /// Length of the headers that each segment repeats, in bytes; a hint.
    pub header_length: u16,
    /// Payload of each segment but the last, in bytes.
    pub gso_size: u16,
    /// Where checksumming starts.
    pub checksum_start: u16,
    /// Where the checksum goes, from there.
    pub checksum_offset: u16,
}

impl VirtioHeader {
    /// Reads the header; TUN devices use the machine's byte order.
    pub fn decode(bytes: &[u8; VIRTIO_HEADER_LEN]) -> Self {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Self {
            flags: bytes[0],
            gso_type: bytes[1],
            header_length: word(2),
            gso_size: word(4),
            checksum_start: word(6),
            checksum_offset: word(8),
        }
    }

    /// How many packets on the wire one of `length` bytes behind this header is, and their bytes.
    pub fn on_the_wire(&self, length: usize) -> (u64, u64) {
        let (headers, size) = (usize::from(self.header_length), usize::from(self.gso_size));
        match (self.gso_type, length.saturating_sub(headers)) {
            (GSO_NONE, _) | (_, 0) => (1, length as u64),
            (_, data) => {
                let packets = data.div_ceil(size.max(1));
                (packets as u64, (packets * headers + data) as u64)
            }
        }
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; VIRTIO_HEADER_LEN] {
        let mut bytes = [self.flags, self.gso_type, 0, 0, 0, 0, 0, 0, 0, 0];
        let words = [self.header_length, self.gso_size, self.checksum_start, self.checksum_offset];
        for (to, word) in bytes[2..].chunks_mut(2).zip(words) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

/// Why a packet with a virtio header cannot be put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OffloadError {
    /// Shorter than what its headers say.
    #[error("offloaded packet is too short: {0} bytes")]
    Truncated(usize),
    /// Joined in a way that was not asked for.
    #[error("gso type must be none or tcp over ipv4, got {0:#04x}")]
    GsoType(u8),
    /// Joined segments that are not TCP over IPv4, or of size 0.
    #[error("joined segments must be tcp over ipv4 with a size, got protocol {protocol} and size {size}")]
    Segments {
        /// The IP protocol.
        protocol: u8,
        /// The virtio header's segment size.
        size: u16,
    },
}

/// Does what the virtio header in front of `frame` asks for, and hands out the packets that go on the wire: each as its
/// headers and the payload behind them, of which the former may be empty.
pub fn segments(frame: &mut [u8], mut each: impl FnMut(&[u8], &[u8])) -> Result<(), OffloadError> {
    let length = frame.len();
    let truncated = OffloadError::Truncated(length);
    let (header, packet) = frame.split_first_chunk_mut::<VIRTIO_HEADER_LEN>().ok_or(truncated)?;
    let header = VirtioHeader::decode(header);
    match header.gso_type & !GSO_ECN {
        GSO_NONE => {
            if header.flags & NEEDS_CHECKSUM != 0 {
                complete_checksum(&header, packet).ok_or(truncated)?;
            }
            each(&[], packet);
            Ok(())
        }
        GSO_TCP4 => {
            let ip = Header::decode(packet).map_err(|_| truncated)?;
            if ip.protocol != TCP || header.gso_size == 0 {
                return Err(OffloadError::Segments { protocol: ip.protocol, size: header.gso_size });
            }
            tcp_segments(&ip, packet, usize::from(header.gso_size), each).ok_or(truncated)
        }
        other => Err(OffloadError::GsoType(other)),
    }
}

fn complete_checksum(header: &VirtioHeader, packet: &mut [u8]) -> Option<()> {
    let start = usize::from(header.checksum_start);
    let at = start + usize::from(header.checksum_offset);
    let sum = Sum::new().bytes(packet.get(start..)?).finish();
    // Zero would mean that a datagram has none (RFC 768); to TCP the two are the same.
    let sum = if sum == 0 { 0xffff } else { sum };
    packet.get_mut(at..at + 2)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

fn tcp_segments(ip: &Header, packet: &[u8], size: usize, mut each: impl FnMut(&[u8], &[u8])) -> Option<()> {
    let packet = packet.get(..usize::from(ip.total_length))?;
    let tcp_start = ip.header_length;
    let tcp_length = usize::from(packet.get(tcp_start + 12)? >> 4) * 4;
    let start = tcp_start + tcp_length;
    if tcp_length < TCP_MIN_HEADER {
        return None;
    }
    let (headers, payload) = packet.split_at_checked(start)?;
    let mut bytes = [0; 120];
    let bytes = bytes.get_mut(..start)?;
    bytes.copy_from_slice(headers);
    let first_sequence = u32::from_be_bytes(bytes[tcp_start + 4..tcp_start + 8].try_into().ok()?);
    let flags = bytes[tcp_start + 13];
    let count = payload.len().div_ceil(size);
    for (number, payload) in payload.chunks(size).enumerate() {
        bytes[2..4].copy_from_slice(&((start + payload.len()) as u16).to_be_bytes());
        bytes[4..6].copy_from_slice(&ip.identification.wrapping_add(number as u16).to_be_bytes());
        bytes[10..12].fill(0);
        let sum = Sum::new().bytes(&bytes[..tcp_start]).finish();
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());

        let sequence = first_sequence.wrapping_add((number * size) as u32);
        bytes[tcp_start + 4..tcp_start + 8].copy_from_slice(&sequence.to_be_bytes());
        // The end of the data is in the last segment, and the window was reduced once (RFC 3168 section 6.1.2).
        let mut mask = 0xff;
        if number + 1 < count {
            mask &= !(FIN | PSH);
        }
        if number > 0 {
            mask &= !CWR;
        }
        bytes[tcp_start + 13] = flags & mask;
        let at = tcp_start + TCP_CHECKSUM;
        bytes[at..at + 2].fill(0);
        let length = (tcp_length + payload.len()) as u16;
        let sum = Sum::new()
            .pseudo_header(ip.source, ip.destination, TCP, length)
            .bytes(&bytes[tcp_start..])
            .bytes(payload)
            .finish();
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        each(bytes, payload);
    }
    Some(())
}

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
            // Acknowledgement, window, and options, with time stamps among them.
            && ours[tcp + 8..tcp + 12] == theirs[tcp + 8..tcp + 12]
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
        let cases = [
            ("a gap", segment(80, 101, ACK, 500, &[2; 100])),
            ("a larger one", segment(80, 100, ACK, 500, &[2; 101])),
            ("another window", segment(80, 100, ACK, 501, &[2; 100])),
            ("an end", segment(80, 100, ACK | FIN, 500, &[2; 100])),
            ("no data", segment(80, 100, ACK, 500, &[])),
            ("another stream", segment(81, 100, ACK, 500, &[2; 100])),
            ("a wrong checksum", wrong_checksum),
            ("another ttl", other_ttl),
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

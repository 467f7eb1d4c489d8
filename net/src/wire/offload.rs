//! Segmentation offload in userspace: what a network card would do to the packets of a TUN device.
//!
//! With a virtio header in front of each packet, the kernel hands over TCP data in pieces of up to 64 KiB and leaves the
//! checksum to the reader: [`segments`] cuts them to what the path takes. The other way round,
//! [`super::coalesce::Coalescer`] joins the segments of a stream before they are written, so that the kernel goes through its stack once for many of them.
//! Nothing here changes what a receiver sees: the same bytes with the same boundaries on the wire, and a segment is
//! joined only if its checksum is right.

use super::checksum::Sum;
use super::ipv4::Header;

/// Length of a virtio header, in bytes.
pub const VIRTIO_HEADER_LEN: usize = 10;

/// In [`VirtioHeader::flags`]: the transport checksum is to be completed.
pub const NEEDS_CHECKSUM: u8 = 1;
/// [`VirtioHeader::gso_type`] of a packet as it is.
pub const GSO_NONE: u8 = 0;
/// Of joined TCP segments over IPv4.
pub const GSO_TCP4: u8 = 1;
/// Of joined UDP datagrams.
pub const GSO_UDP_L4: u8 = 5;
/// Set in addition if the stream uses ECN.
pub const GSO_ECN: u8 = 0x80;

pub(super) const TCP: u8 = 6;
pub(super) const TCP_MIN_HEADER: usize = 20;
pub(super) const TCP_CHECKSUM: usize = 16;
pub(super) const FIN: u8 = 0x01;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;
const CWR: u8 = 0x80;

/// `struct virtio_net_hdr`: what is still to be done to the packet behind it. Offsets are from the packet's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtioHeader {
    /// With [`NEEDS_CHECKSUM`] the checksum at `checksum_start + checksum_offset` holds the pseudo header's sum only.
    pub flags: u8,
    /// One of the `GSO_` values.
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
///
/// # Errors
/// The frame does not match its virtio header.
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

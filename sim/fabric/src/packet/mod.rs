//! A packet on its way through the fabric: raw IPv4 bytes, and what the sending kernel left for the hardware to
//! do. The fabric is that hardware.

pub(crate) mod ipv4;
pub(crate) mod merge;
pub(crate) mod purpose;
pub(crate) mod segment;
pub(crate) mod vnet;

use dz_net::wire::checksum::Sum;
use ipv4::Header;

/// A packet, or one large segment that stands for several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Packet {
    /// From the first byte of the IP header.
    pub(crate) bytes: Vec<u8>,
    /// What the sender's kernel left undone.
    pub(crate) offload: Offload,
    /// Whether the capture has it with these addresses.
    pub(crate) recorded: bool,
}

/// Work that a kernel leaves to the device (`struct virtio_net_hdr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Offload {
    /// The transport checksum still to be completed: it holds the sum of the pseudo header only.
    pub(crate) checksum: Option<PartialChecksum>,
    /// The packet is to be cut into several.
    pub(crate) segments: Option<Segments>,
}

/// Where a checksum is to be completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartialChecksum {
    /// First byte summed, from the start of the packet.
    pub(crate) start: u16,
    /// Where the sum goes, from `start`.
    pub(crate) offset: u16,
}

/// How a large segment is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segments {
    /// What carries the payload.
    pub(crate) transport: Transport,
    /// Payload bytes of each but the last.
    pub(crate) size: u16,
}

/// The transports that kernels hand over in large segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TCP over IPv4; with `ecn`, only the first segment keeps CWR.
    Tcp {
        /// Whether the segment has CWR set.
        ecn: bool,
    },
    /// UDP datagrams of one size.
    Udp,
}

impl Packet {
    /// A packet with nothing left undone.
    pub(crate) fn plain(bytes: Vec<u8>) -> Self {
        Self { bytes, offload: Offload::default(), recorded: false }
    }

    /// How many packets go over the wire, their bytes in all, and the largest, if the header is `ip`.
    pub(crate) fn on_wire(&self, ip: &Header) -> OnWire {
        let whole = OnWire { packets: 1, bytes: u64::from(ip.total_length), largest: u32::from(ip.total_length) };
        let Some(segments) = self.offload.segments else { return whole };
        let Some(headers) = segment::headers_len(&self.bytes, ip, segments.transport) else { return whole };
        let payload = u64::from(ip.total_length).saturating_sub(headers as u64);
        let size = u64::from(segments.size.max(1));
        let packets = payload.div_ceil(size).max(1);
        OnWire {
            packets,
            bytes: payload + packets * headers as u64,
            largest: (headers as u64 + size.min(payload)) as u32,
        }
    }

    /// Completes the checksum that was left to the device, if one was.
    pub(crate) fn complete_checksum(&mut self) {
        let Some(partial) = self.offload.checksum.take() else { return };
        let (start, at) = (usize::from(partial.start), usize::from(partial.start) + usize::from(partial.offset));
        if at + 2 > self.bytes.len() {
            return;
        }
        let sum = Sum::new().bytes(&self.bytes[start..]).finish();
        // RFC 768: a UDP checksum of zero would mean that there is none.
        let udp = self.bytes.get(9) == Some(&ipv4::UDP);
        let sum = if sum == 0 && udp { 0xffff } else { sum };
        self.bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// What a packet amounts to on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnWire {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) largest: u32,
}

//! The header that a TUN with `IFF_VNET_HDR` puts before each packet: `struct virtio_net_hdr` of
//! `linux/virtio_net.h`, in the machine's byte order.
//!
//! ```text
//! | flags: u8 | gso_type: u8 | hdr_len: u16 | gso_size: u16 | csum_start: u16 | csum_offset: u16 |
//! ```

use super::{Offload, PartialChecksum, Segments, Transport};

/// Bytes of the header.
pub(crate) const LEN: usize = 10;

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// A kind of segment that the fabric never offered to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownGso(pub(crate) u8);

/// Reads a header.
pub(crate) fn decode(header: &[u8; LEN]) -> Result<Offload, UnknownGso> {
    let word = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let checksum = (header[0] & NEEDS_CSUM != 0).then(|| PartialChecksum { start: word(6), offset: word(8) });
    let transport = match header[1] & !GSO_ECN {
        GSO_NONE => None,
        GSO_TCPV4 => Some(Transport::Tcp { ecn: header[1] & GSO_ECN != 0 }),
        GSO_UDP_L4 => Some(Transport::Udp),
        _ => return Err(UnknownGso(header[1])),
    };
    Ok(Offload { checksum, segments: transport.map(|transport| Segments { transport, size: word(4) }) })
}

/// Writes a header for a packet whose IP and transport headers have `headers_len` bytes.
pub(crate) fn encode(offload: &Offload, headers_len: usize) -> [u8; LEN] {
    let mut header = [0; LEN];
    if let Some(partial) = offload.checksum {
        header[0] = NEEDS_CSUM;
        header[6..8].copy_from_slice(&partial.start.to_ne_bytes());
        header[8..10].copy_from_slice(&partial.offset.to_ne_bytes());
    }
    if let Some(segments) = offload.segments {
        header[1] = match segments.transport {
            Transport::Tcp { ecn } => GSO_TCPV4 | if ecn { GSO_ECN } else { 0 },
            Transport::Udp => GSO_UDP_L4,
        };
        header[2..4].copy_from_slice(&(headers_len as u16).to_ne_bytes());
        header[4..6].copy_from_slice(&segments.size.to_ne_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_on_the_same_values() {
        let checksum = Some(PartialChecksum { start: 20, offset: 16 });
        let segments = |transport| Some(Segments { transport, size: 1448 });
        for offload in [
            Offload::default(),
            Offload { checksum, segments: None },
            Offload { checksum, segments: segments(Transport::Tcp { ecn: false }) },
            Offload { checksum, segments: segments(Transport::Tcp { ecn: true }) },
            Offload { checksum, segments: segments(Transport::Udp) },
        ] {
            assert_eq!(decode(&encode(&offload, 40)), Ok(offload));
        }
        assert_eq!(decode(&[0, 4, 0, 0, 0, 0, 0, 0, 0, 0]), Err(UnknownGso(4)));
    }
}

//! The header that a TUN with `IFF_VNET_HDR` puts before each packet, in the fabric's terms.

use dz_net::wire::offload::{GSO_ECN, GSO_NONE, GSO_TCP4, GSO_UDP_L4, NEEDS_CHECKSUM, VIRTIO_HEADER_LEN, VirtioHeader};

use super::{Offload, PartialChecksum, Segments, Transport};

/// Bytes of the header.
pub(crate) const LEN: usize = VIRTIO_HEADER_LEN;

/// A kind of segment that the fabric never offered to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnknownGso(pub(crate) u8);

/// Reads a header.
pub(crate) fn decode(header: &[u8; LEN]) -> Result<Offload, UnknownGso> {
    let header = VirtioHeader::decode(header);
    let partial = PartialChecksum { start: header.checksum_start, offset: header.checksum_offset };
    let checksum = (header.flags & NEEDS_CHECKSUM != 0).then_some(partial);
    let transport = match header.gso_type & !GSO_ECN {
        GSO_NONE => None,
        GSO_TCP4 => Some(Transport::Tcp { ecn: header.gso_type & GSO_ECN != 0 }),
        GSO_UDP_L4 => Some(Transport::Udp),
        _ => return Err(UnknownGso(header.gso_type)),
    };
    Ok(Offload { checksum, segments: transport.map(|transport| Segments { transport, size: header.gso_size }) })
}

/// Writes a header for a packet whose IP and transport headers have `headers_len` bytes.
pub(crate) fn encode(offload: &Offload, headers_len: usize) -> [u8; LEN] {
    let mut header = VirtioHeader::default();
    if let Some(partial) = offload.checksum {
        header.flags = NEEDS_CHECKSUM;
        header.checksum_start = partial.start;
        header.checksum_offset = partial.offset;
    }
    if let Some(segments) = offload.segments {
        header.gso_type = match segments.transport {
            Transport::Tcp { ecn } => GSO_TCP4 | if ecn { GSO_ECN } else { 0 },
            Transport::Udp => GSO_UDP_L4,
        };
        header.header_length = headers_len as u16;
        header.gso_size = segments.size;
    }
    header.encode()
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

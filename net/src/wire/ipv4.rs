//! IPv4 headers: reading what forwarding needs, and writing whole headers.

use std::net::Ipv4Addr;

use super::checksum::{Sum, checksum, updated};

/// Length of a header without options, in bytes.
pub const HEADER_LEN: usize = 20;
/// The "don't fragment" bit in the third 16-bit word of a header.
pub const DONT_FRAGMENT: u16 = 0x4000;
/// The "more fragments" bit.
pub const MORE_FRAGMENTS: u16 = 0x2000;
/// The bits of the fragment offset, in units of 8 bytes.
pub const FRAGMENT_OFFSET: u16 = 0x1fff;

/// Why bytes are not an IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than its header.
    #[error("ipv4 header needs {needed} bytes, got {length}")]
    Truncated {
        /// Bytes that are there.
        length: usize,
        /// Bytes the header takes.
        needed: usize,
    },
    /// Another IP version.
    #[error("ip version must be 4, got {0}")]
    Version(u8),
    /// The header length field is below the minimum; the value is in 32-bit words.
    #[error("ipv4 header length must be at least 5 words, got {0}")]
    HeaderLength(u8),
    /// The total length field does not cover the header, or exceeds what is there.
    #[error("ipv4 total length must be from {header} to {length}, got {total}")]
    TotalLength {
        /// The field, in bytes.
        total: u16,
        /// Length of the header, in bytes.
        header: usize,
        /// Bytes that are there.
        length: usize,
    },
    /// The header's checksum is wrong; the value is what the header sums up to.
    #[error("ipv4 header checksum must fold to 0xffff, got {0:#06x}")]
    Checksum(u16),
}

/// The fields of a header that forwarding reads. Options are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// DSCP and ECN.
    pub tos: u8,
    /// Length of the packet, header included, in bytes.
    pub total_length: u16,
    /// For reassembly.
    pub identification: u16,
    /// Flags and fragment offset as one word.
    pub fragment: u16,
    /// Hops left.
    pub ttl: u8,
    /// Of the payload.
    pub protocol: u8,
    /// Sender.
    pub source: Ipv4Addr,
    /// Receiver.
    pub destination: Ipv4Addr,
    /// Length of the header with its options, in bytes.
    pub header_length: usize,
}

impl Header {
    /// Reads the header at the start of `packet` and checks that its lengths fit the bytes; the checksum is not
    /// checked, as the kernel has done so for what comes from it.
    ///
    /// # Errors
    /// [`DecodeError`]: the header is cut off or contradicts itself.
    #[inline]
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let length = packet.len();
        let Some(fixed) = packet.first_chunk::<HEADER_LEN>() else {
            return Err(DecodeError::Truncated { length, needed: HEADER_LEN });
        };
        let version = fixed[0] >> 4;
        if version != 4 {
            return Err(DecodeError::Version(version));
        }
        let words = fixed[0] & 0x0f;
        if words < 5 {
            return Err(DecodeError::HeaderLength(words));
        }
        let header_length = usize::from(words) * 4;
        if length < header_length {
            return Err(DecodeError::Truncated { length, needed: header_length });
        }
        let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let total_length = word(2);
        if usize::from(total_length) < header_length || usize::from(total_length) > length {
            return Err(DecodeError::TotalLength { total: total_length, header: header_length, length });
        }
        Ok(Self {
            tos: fixed[1],
            total_length,
            identification: word(4),
            fragment: word(6),
            ttl: fixed[8],
            protocol: fixed[9],
            source: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]),
            destination: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]),
            header_length,
        })
    }

    /// As [`Header::decode`], with the header's checksum.
    ///
    /// # Errors
    /// [`DecodeError`]: the header is cut off or contradicts itself.
    pub fn decode_checked(packet: &[u8]) -> Result<Self, DecodeError> {
        let header = Self::decode(packet)?;
        match Sum::new().bytes(&packet[..header.header_length]).folded() {
            0xffff => Ok(header),
            wrong => Err(DecodeError::Checksum(wrong)),
        }
    }

    /// The header's bytes, without options, with its checksum.
    #[inline]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = 0x45;
        bytes[1] = self.tos;
        bytes[2..4].copy_from_slice(&self.total_length.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.identification.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.fragment.to_be_bytes());
        bytes[8] = self.ttl;
        bytes[9] = self.protocol;
        bytes[12..16].copy_from_slice(&self.source.octets());
        bytes[16..20].copy_from_slice(&self.destination.octets());
        let sum = checksum(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// Whether the sender forbids fragmentation.
    pub fn dont_fragment(&self) -> bool {
        self.fragment & DONT_FRAGMENT != 0
    }

    /// Whether this is a fragment other than the first, which carries no transport header.
    pub fn is_later_fragment(&self) -> bool {
        self.fragment & FRAGMENT_OFFSET != 0
    }

    /// Offset of the payload in the unfragmented one, in bytes.
    pub fn fragment_offset(&self) -> u16 {
        (self.fragment & FRAGMENT_OFFSET) * 8
    }

    /// Whether this is a fragment at all.
    pub fn is_fragment(&self) -> bool {
        self.fragment & (FRAGMENT_OFFSET | MORE_FRAGMENTS) != 0
    }
}

/// A whole packet: header without options, checksum and `payload`. TTL 64, not to be fragmented. None if the payload
/// exceeds what a packet can carry.
pub fn packet(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let header = Header {
        tos: 0,
        total_length: u16::try_from(HEADER_LEN + payload.len()).ok()?,
        identification: 0,
        fragment: DONT_FRAGMENT,
        ttl: 64,
        protocol,
        source,
        destination,
        header_length: HEADER_LEN,
    };
    let mut packet = Vec::with_capacity(HEADER_LEN + payload.len());
    packet.extend_from_slice(&header.encode());
    packet.extend_from_slice(payload);
    Some(packet)
}

/// Takes one hop off the TTL of a packet and mends its checksum (RFC 1624). False, with the packet unchanged, if it
/// has no hop left to take. The packet must have passed [`Header::decode`].
#[inline]
pub fn decrement_ttl(packet: &mut [u8]) -> bool {
    let ttl = packet[8];
    if ttl <= 1 {
        return false;
    }
    packet[8] = ttl - 1;
    mend_checksum(packet, u16::from_be_bytes([ttl, packet[9]]), u16::from_be_bytes([ttl - 1, packet[9]]));
    true
}

/// Sets the ECN bits of a packet and mends its checksum. The packet must have passed [`Header::decode`].
#[inline]
pub fn set_ecn(packet: &mut [u8], ecn: u8) {
    let old = u16::from_be_bytes([packet[0], packet[1]]);
    packet[1] = packet[1] & !0x03 | ecn & 0x03;
    let new = u16::from_be_bytes([packet[0], packet[1]]);
    mend_checksum(packet, old, new);
}

/// Makes the bytes of a packet one whole packet or fragment: sets the total length to what is there, the offset of the
/// payload in bytes and whether more follow, clears the "don't fragment" bit, and computes the header's checksum.
pub fn set_fragment(packet: &mut [u8], header_length: usize, offset: u16, more: bool) {
    let total = packet.len() as u16;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    let field = (offset / 8) | if more { MORE_FRAGMENTS } else { 0 };
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    seal(&mut packet[..header_length]);
}

/// Computes the checksum of a header.
pub fn seal(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = checksum(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn mend_checksum(packet: &mut [u8], old: u16, new: u16) {
    let checksum = u16::from_be_bytes([packet[10], packet[11]]);
    packet[10..12].copy_from_slice(&updated(checksum, old, new).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The header of a captured ping, whose checksum is known.
    const BYTES: [u8; 20] = [
        0x45, 0x00, 0x00, 0x14, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06, 0xb2, 0x0e, 0xac, 0x10, 0x0a, 0x63, 0xac, 0x10,
        0x0a, 0x0c,
    ];

    fn header() -> Header {
        Header {
            tos: 0,
            total_length: 20,
            identification: 0x1c46,
            fragment: DONT_FRAGMENT,
            ttl: 64,
            protocol: 6,
            source: Ipv4Addr::new(172, 16, 10, 99),
            destination: Ipv4Addr::new(172, 16, 10, 12),
            header_length: 20,
        }
    }

    #[test]
    fn encode_and_decode_agree_on_the_same_bytes() {
        assert_eq!(header().encode(), BYTES);
        assert_eq!(Header::decode_checked(&BYTES), Ok(header()));
    }

    #[test]
    fn each_wrong_header_says_what_is_wrong() {
        let with = |at: usize, value: u8| {
            let mut bytes = BYTES.to_vec();
            bytes[at] = value;
            bytes
        };
        let cases = [
            (BYTES[..19].to_vec(), DecodeError::Truncated { length: 19, needed: 20 }),
            (with(0, 0x46), DecodeError::Truncated { length: 20, needed: 24 }),
            (with(0, 0x65), DecodeError::Version(6)),
            (with(0, 0x44), DecodeError::HeaderLength(4)),
            (with(3, 19), DecodeError::TotalLength { total: 19, header: 20, length: 20 }),
            (with(3, 21), DecodeError::TotalLength { total: 21, header: 20, length: 20 }),
            (with(1, 1), DecodeError::Checksum(0x0001)),
        ];
        for (bytes, error) in cases {
            assert_eq!(Header::decode_checked(&bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_packet_without_hops_left_is_unchanged() {
        let mut packet = Header { ttl: 1, ..header() }.encode();
        let before = packet;
        assert!(!decrement_ttl(&mut packet));
        assert_eq!(packet, before);
    }

    #[test]
    fn a_payload_too_long_is_no_packet() {
        let address = Ipv4Addr::LOCALHOST;
        assert_eq!(packet(address, address, 17, &[0; 65_516]), None);
        assert_eq!(packet(address, address, 17, &[0; 65_515]).map(|p| p.len()), Some(65_535));
    }

    proptest! {
        #[test]
        fn mended_checksums_are_right(ttl in 2u8.., tos: u8, ecn in 0u8..4, id: u16) {
            let old = Header { ttl, tos, identification: id, ..header() };
            let mut packet = old.encode();
            prop_assert!(decrement_ttl(&mut packet));
            set_ecn(&mut packet, ecn);
            prop_assert_eq!(
                Header::decode_checked(&packet),
                Ok(Header { ttl: ttl - 1, tos: tos & 0xfc | ecn, ..old })
            );
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert!(header.header_length <= usize::from(header.total_length));
                prop_assert!(usize::from(header.total_length) <= bytes.len());
            }
        }
    }
}

//! The GRE header of RFC 2784, for IPv4 payloads.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |C|       Reserved0       | Ver |         Protocol Type         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Checksum (optional)      |       Reserved1 (optional)    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! The key and sequence number of RFC 2890 are known by their bits and refused: a device here distinguishes tunnels by
//! their outer addresses alone.

use super::checksum::Sum;

/// Length of a header without checksum, in bytes; the only kind that is sent.
pub const HEADER_LEN: usize = 4;
/// Length of a header with checksum, in bytes.
pub const CHECKSUM_HEADER_LEN: usize = 8;
/// What a tunnel adds to each packet: an IPv4 header without options and the GRE header, in bytes.
pub const OVERHEAD: usize = super::ipv4::HEADER_LEN + HEADER_LEN;
/// EtherType of IPv4, the protocol type of the payload.
pub const PROTOCOL_IPV4: u16 = 0x0800;
/// IP protocol number of GRE.
pub const IP_PROTOCOL: u8 = 47;

const CHECKSUM_PRESENT: u16 = 0x8000;
const KEY_PRESENT: u16 = 0x2000;
const SEQUENCE_PRESENT: u16 = 0x1000;
/// Bits 1, 4 and 5, that a receiver must refuse (RFC 2784 section 2.2) and RFC 2890 does not give a meaning.
const RESERVED: u16 = 0x4c00;
const VERSION: u16 = 0x0007;

/// The header every packet is sent with: no checksum, version 0, an IPv4 payload.
pub const HEADER: [u8; HEADER_LEN] = [0, 0, 0x08, 0x00];

/// Why bytes are not a GRE packet that can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too short for the header its flags announce.
    #[error("gre header needs {needed} bytes, got {length}")]
    Truncated {
        /// Bytes that are there.
        length: usize,
        /// Bytes the header takes.
        needed: usize,
    },
    /// Not version 0; version 1 is PPTP.
    #[error("gre version must be 0, got {0}")]
    Version(u8),
    /// A bit is set that must be zero; the value is the flags with only those bits.
    #[error("gre reserved bits must be zero, got {0:#06x}")]
    Reserved(u16),
    /// It carries a key (RFC 2890).
    #[error("gre key is not supported, got {0:#010x}")]
    Key(u32),
    /// It carries a sequence number (RFC 2890).
    #[error("gre sequence numbers are not supported, got {0}")]
    Sequence(u32),
    /// The payload is not IPv4.
    #[error("gre protocol type must be {PROTOCOL_IPV4:#06x}, got {0:#06x}")]
    Protocol(u16),
    /// The checksum is there and does not match.
    #[error("gre checksum over header and payload must fold to 0xffff, got {0:#06x}")]
    Checksum(u16),
}

/// Checks a GRE packet and returns its payload. Bits 6 to 12 and Reserved1 are ignored, as RFC 2784 says.
///
/// # Errors
/// [`DecodeError`]: the header is not one of RFC 2784 for IPv4.
pub fn decode(packet: &[u8]) -> Result<&[u8], DecodeError> {
    let truncated = |needed| DecodeError::Truncated { length: packet.len(), needed };
    let (header, payload) = packet.split_first_chunk::<HEADER_LEN>().ok_or(truncated(HEADER_LEN))?;
    // What nearly every packet is.
    if *header == HEADER {
        return Ok(payload);
    }
    let flags = u16::from_be_bytes([header[0], header[1]]);
    let protocol = u16::from_be_bytes([header[2], header[3]]);
    // The version is first: it says what the other bits mean.
    if flags & VERSION != 0 {
        return Err(DecodeError::Version((flags & VERSION) as u8));
    }
    if flags & RESERVED != 0 {
        return Err(DecodeError::Reserved(flags & RESERVED));
    }
    let checksum = if flags & CHECKSUM_PRESENT != 0 { HEADER_LEN } else { 0 };
    let field = |offset: usize| -> Result<u32, DecodeError> {
        let bytes = packet.get(offset..offset + 4).ok_or(truncated(offset + 4))?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    if flags & KEY_PRESENT != 0 {
        return Err(DecodeError::Key(field(HEADER_LEN + checksum)?));
    }
    if flags & SEQUENCE_PRESENT != 0 {
        return Err(DecodeError::Sequence(field(HEADER_LEN + checksum)?));
    }
    let payload = packet.get(HEADER_LEN + checksum..).ok_or(truncated(HEADER_LEN + checksum))?;
    if protocol != PROTOCOL_IPV4 {
        return Err(DecodeError::Protocol(protocol));
    }
    if checksum != 0 {
        match Sum::new().bytes(packet).folded() {
            0xffff => {}
            wrong => return Err(DecodeError::Checksum(wrong)),
        }
    }
    Ok(payload)
}

/// Appends a GRE packet without checksum to `out`.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&HEADER);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAYLOAD: [u8; 3] = [0x45, 0x01, 0x02];
    const PLAIN: [u8; 7] = [0, 0, 8, 0, 0x45, 0x01, 0x02];

    #[test]
    fn encode_and_decode_agree_on_the_same_bytes() {
        let mut out = Vec::new();
        encode(&PAYLOAD, &mut out);
        assert_eq!(out, PLAIN);
        assert_eq!(decode(&PLAIN), Ok(&PAYLOAD[..]));
    }

    #[test]
    fn a_right_checksum_is_taken() {
        let mut packet = vec![0x80, 0, 8, 0, 0, 0, 0, 0];
        packet.extend(PAYLOAD);
        let sum = Sum::new().bytes(&packet).finish();
        packet[4..6].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(decode(&packet), Ok(&PAYLOAD[..]));
        packet[9] ^= 0x10;
        assert_eq!(decode(&packet), Err(DecodeError::Checksum(0x0010)));
    }

    #[test]
    fn ignored_bits_are_ignored() {
        assert_eq!(decode(&[0x03, 0xf8, 8, 0, 1]), Ok(&[1][..]));
    }

    #[test]
    fn each_wrong_header_says_what_is_wrong() {
        let cases: [(&[u8], DecodeError); 10] = [
            (&[], DecodeError::Truncated { length: 0, needed: 4 }),
            (&[0, 0, 8], DecodeError::Truncated { length: 3, needed: 4 }),
            (&[0x80, 0, 8, 0, 1, 2, 3], DecodeError::Truncated { length: 7, needed: 8 }),
            (&[0x20, 0, 8, 0, 1, 2, 3], DecodeError::Truncated { length: 7, needed: 8 }),
            (&[0, 1, 0x88, 0x0b], DecodeError::Version(1)),
            (&[0x4c, 0, 8, 0], DecodeError::Reserved(0x4c00)),
            (&[0x20, 0, 8, 0, 0, 0, 0, 9, 0x45], DecodeError::Key(9)),
            (&[0xa0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x45], DecodeError::Key(7)),
            (&[0x10, 0, 8, 0, 0, 0, 0, 3, 0x45], DecodeError::Sequence(3)),
            (&[0, 0, 0x86, 0xdd, 0x60], DecodeError::Protocol(0x86dd)),
        ];
        for (bytes, error) in cases {
            assert_eq!(decode(bytes), Err(error), "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_payload_survives(payload in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut out = Vec::new();
            encode(&payload, &mut out);
            prop_assert_eq!(decode(&out), Ok(&payload[..]));
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(payload) = decode(&bytes) {
                prop_assert!(bytes.ends_with(payload));
            }
        }
    }
}

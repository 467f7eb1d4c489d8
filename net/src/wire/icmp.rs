//! ICMP: echo messages, and the errors a router sends (RFC 792, RFC 1191, RFC 1812).

use std::net::Ipv4Addr;

use pnet::packet::Packet;
use pnet::packet::icmp::IcmpTypes;
use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;

use super::checksum::{Sum, checksum};
use super::ipv4::{self, Header};

/// IP protocol number of ICMP.
pub const IP_PROTOCOL: u8 = 1;
/// Length of an ICMP header, in bytes.
pub const HEADER_LEN: usize = 8;

/// ICMP type of an echo reply.
pub const ECHO_REPLY: u8 = 0;
/// ICMP type of destination unreachable.
pub const UNREACHABLE: u8 = 3;
/// ICMP type of an echo request.
pub const ECHO_REQUEST: u8 = 8;
/// ICMP type of time exceeded.
pub const TIME_EXCEEDED: u8 = 11;

/// An error, as routers and hosts report them about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Error {
    /// Destination unreachable, other than for its size; the value is the code (0 network, 1 host, 3 port, 13
    /// administratively prohibited, ...).
    Unreachable(u8),
    /// Too big for the next hop and not to be fragmented; the value is the next hop's MTU in bytes, 0 from routers
    /// older than RFC 1191.
    FragmentationNeeded(u16),
    /// Its TTL ran out on the way.
    TimeExceeded,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(0) => f.write_str("network unreachable"),
            Self::Unreachable(1) => f.write_str("host unreachable"),
            Self::Unreachable(2) => f.write_str("protocol unreachable"),
            Self::Unreachable(3) => f.write_str("port unreachable"),
            Self::Unreachable(9 | 10 | 13) => f.write_str("administratively prohibited"),
            Self::Unreachable(code) => write!(f, "destination unreachable (code {code})"),
            Self::FragmentationNeeded(mtu) => write!(f, "fragmentation needed (next hop MTU {mtu})"),
            Self::TimeExceeded => f.write_str("time to live exceeded"),
        }
    }
}

/// What an ICMP message says, as far as it is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// An echo request or reply.
    Echo {
        /// Reply, or request.
        reply: bool,
        /// Which prober it is from.
        identifier: u16,
        /// Which probe of the prober.
        sequence: u16,
        /// Whatever was sent along.
        payload: &'a [u8],
    },
    /// An error about a packet, of which the start is quoted.
    Error {
        /// What went wrong.
        error: Error,
        /// The quoted header.
        header: Header,
        /// What follows the quoted header: at least 8 bytes.
        payload: &'a [u8],
    },
    /// Any other type and code.
    Other(u8, u8),
}

/// Why bytes are not an ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than a header.
    #[error("icmp header needs {HEADER_LEN} bytes, got {0}")]
    Truncated(usize),
    /// The checksum does not match; the value is what the message sums up to.
    #[error("icmp checksum must fold to 0xffff, got {0:#06x}")]
    Checksum(u16),
    /// An error quotes something that is no IPv4 packet with at least 8 bytes of payload.
    #[error("icmp error quotes too little or no ipv4 packet ({0} bytes)")]
    Quote(usize),
}

/// Reads an ICMP message, the payload of an IPv4 packet.
///
/// # Errors
/// [`DecodeError`]: the message is cut off, or its checksum is wrong.
pub fn decode(bytes: &[u8]) -> Result<Message<'_>, DecodeError> {
    let (header, payload) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(DecodeError::Truncated(bytes.len()))?;
    match Sum::new().bytes(bytes).folded() {
        0xffff => {}
        wrong => return Err(DecodeError::Checksum(wrong)),
    }
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let error = match (header[0], header[1]) {
        (ECHO_REPLY | ECHO_REQUEST, 0) => {
            let reply = header[0] == ECHO_REPLY;
            return Ok(Message::Echo { reply, identifier: word(4), sequence: word(6), payload });
        }
        (UNREACHABLE, 4) => Error::FragmentationNeeded(word(6)),
        (UNREACHABLE, code) => Error::Unreachable(code),
        (TIME_EXCEEDED, 0) => Error::TimeExceeded,
        (kind, code) => return Ok(Message::Other(kind, code)),
    };
    let (header, payload) = quoted(payload).ok_or(DecodeError::Quote(payload.len()))?;
    Ok(Message::Error { error, header, payload })
}

/// The header and payload of a quoted packet, of which only the start need be there (RFC 1812 section 4.3.2.3).
pub fn quoted(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let words = usize::from(bytes.first()? & 0x0f);
    // The quoted total length is that of the whole packet: read the header as if the packet ended with the quote.
    let mut start = [0; 60];
    let start = start.get_mut(..words * 4)?;
    start.copy_from_slice(bytes.get(..words * 4)?);
    let total = start.get(2..4)?.try_into().map(u16::from_be_bytes).ok()?;
    start[2..4].copy_from_slice(&(u16::try_from(words * 4).ok()?).to_be_bytes());
    let header = Header { total_length: total, ..Header::decode(start).ok()? };
    let payload = bytes.get(header.header_length..).filter(|payload| payload.len() >= 8)?;
    Some((header, payload))
}

/// An echo message, the payload of an IPv4 packet.
pub fn echo(reply: bool, identifier: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN + payload.len()];
    bytes[HEADER_LEN..].copy_from_slice(payload);
    // Requests and replies differ in their type alone.
    if let Some(mut echo) = MutableEchoRequestPacket::new(&mut bytes) {
        echo.set_icmp_type(if reply { IcmpTypes::EchoReply } else { IcmpTypes::EchoRequest });
        echo.set_identifier(identifier);
        echo.set_sequence_number(sequence);
        let sum = checksum(echo.packet());
        echo.set_checksum(sum);
    }
    bytes
}

/// The length of an error packet, in bytes, that quotes as much as it may (RFC 1812 section 4.3.2.3).
pub const ERROR_LEN: usize = 576;

/// The whole IPv4 packet by which the router at `from` reports `error` about `packet` to its sender, or none if no
/// error may be sent about it: an ICMP error, a later fragment, a multicast or broadcast destination, a source that is
/// no single host (RFC 1812 section 4.3.2.7), or bytes that are no IPv4 packet.
pub fn error_packet(from: Ipv4Addr, error: Error, packet: &[u8]) -> Option<Vec<u8>> {
    error_packet_within(ERROR_LEN, from, error, packet)
}

/// As [`error_packet`], in at most `room` bytes: those of a path that takes less than [`ERROR_LEN`].
pub fn error_packet_within(room: usize, from: Ipv4Addr, error: Error, packet: &[u8]) -> Option<Vec<u8>> {
    let header = Header::decode(packet).ok()?;
    let source = header.source;
    if header.is_later_fragment()
        || header.destination.is_multicast()
        || header.destination.is_broadcast()
        || source.is_unspecified()
        || source.is_multicast()
        || source.is_broadcast()
        || source.is_loopback()
    {
        return None;
    }
    let payload = &packet[header.header_length..usize::from(header.total_length)];
    if header.protocol == IP_PROTOCOL && !matches!(payload.first(), Some(&(ECHO_REQUEST | ECHO_REPLY | 13..=18))) {
        return None;
    }
    let quote = &packet[..usize::from(header.total_length).min(room.checked_sub(ipv4::HEADER_LEN + HEADER_LEN)?)];
    let (kind, code, mtu) = match error {
        Error::Unreachable(code) => (UNREACHABLE, code, 0),
        Error::FragmentationNeeded(mtu) => (UNREACHABLE, 4, mtu),
        Error::TimeExceeded => (TIME_EXCEEDED, 0, 0),
    };
    let [m0, m1] = mtu.to_be_bytes();
    let message = message([kind, code, 0, 0, 0, 0, m0, m1], quote);
    // Precedence "internetwork control" (RFC 1812 section 4.3.2.5), and not held back by its own size.
    let header = Header {
        tos: 0xc0,
        total_length: (ipv4::HEADER_LEN + message.len()) as u16,
        identification: 0,
        fragment: 0,
        ttl: 64,
        protocol: IP_PROTOCOL,
        source: from,
        destination: source,
        header_length: ipv4::HEADER_LEN,
    };
    Some([&header.encode()[..], &message].concat())
}

fn message(header: [u8; HEADER_LEN], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&header[..], payload].concat();
    let sum = checksum(&bytes);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENDER: Ipv4Addr = Ipv4Addr::new(9, 0, 0, 1);
    const FAR: Ipv4Addr = Ipv4Addr::new(9, 0, 0, 2);
    const ROUTER: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);

    #[test]
    fn an_echo_is_read_as_it_was_written() {
        let request = echo(false, 0x1234, 7, b"abc");
        assert_eq!(request, [8, 0, 0x21, 0x62, 0x12, 0x34, 0, 7, b'a', b'b', b'c']);
        let message = Message::Echo { reply: false, identifier: 0x1234, sequence: 7, payload: b"abc" };
        assert_eq!(decode(&request), Ok(message));
    }

    #[test]
    fn an_error_quotes_the_packet_it_is_about() {
        let packet = ipv4::packet(SENDER, FAR, 47, &[7; 1480]).unwrap();
        for error in [Error::FragmentationNeeded(1400), Error::TimeExceeded, Error::Unreachable(1)] {
            let report = error_packet(ROUTER, error, &packet).unwrap();
            assert_eq!(report.len(), 576);
            let header = Header::decode_checked(&report).unwrap();
            assert_eq!((header.source, header.destination, header.protocol), (ROUTER, SENDER, IP_PROTOCOL));
            let about = Header::decode(&packet).unwrap();
            let message = decode(&report[20..]).unwrap();
            assert_eq!(message, Message::Error { error, header: about, payload: &[7; 528] });
        }
    }

    #[test]
    fn no_error_is_sent_about_what_must_not_cause_one() {
        let udp = ipv4::packet(SENDER, FAR, 17, &[0; 16]).unwrap();
        let to = |destination| ipv4::packet(SENDER, destination, 17, &[0; 16]).unwrap();
        let from = |source| ipv4::packet(source, FAR, 17, &[0; 16]).unwrap();
        let mut fragment = udp.clone();
        fragment[7] = 1;
        let error = error_packet(ROUTER, Error::TimeExceeded, &udp).unwrap();
        let cases = [
            ("no packet", vec![0x45; 12]),
            ("a later fragment", fragment),
            ("a group", to(Ipv4Addr::new(233, 84, 178, 1))),
            ("a broadcast", to(Ipv4Addr::BROADCAST)),
            ("no sender", from(Ipv4Addr::UNSPECIFIED)),
            ("an error", error),
        ];
        for (name, packet) in cases {
            assert_eq!(error_packet(ROUTER, Error::TimeExceeded, &packet), None, "{name}");
        }
        assert!(error_packet(ROUTER, Error::TimeExceeded, &udp).is_some());
        let ping = ipv4::packet(SENDER, FAR, IP_PROTOCOL, &echo(false, 1, 1, &[])).unwrap();
        assert!(error_packet(ROUTER, Error::TimeExceeded, &ping).is_some());
    }

    #[test]
    fn each_wrong_message_says_what_is_wrong() {
        assert_eq!(decode(&[8, 0, 0]), Err(DecodeError::Truncated(3)));
        let mut wrong = echo(false, 1, 1, &[]);
        wrong[7] ^= 2;
        assert_eq!(decode(&wrong), Err(DecodeError::Checksum(2)));
        let short = message([TIME_EXCEEDED, 0, 0, 0, 0, 0, 0, 0], &[0x45; 27]);
        assert_eq!(decode(&short), Err(DecodeError::Quote(27)));
        assert_eq!(decode(&message([13, 0, 0, 0, 0, 0, 0, 0], &[])), Ok(Message::Other(13, 0)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = decode(&bytes);
            let _ = decode(&message([UNREACHABLE, 4, 0, 0, 0, 0, 0, 0], &bytes));
            let _ = error_packet(ROUTER, Error::TimeExceeded, &bytes);
        }
    }
}

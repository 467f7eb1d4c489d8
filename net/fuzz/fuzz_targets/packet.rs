//! Packets from the wire: each decoder takes them or refuses them, and what it takes is within the bytes.
#![no_main]

use dz_net::wire::icmp::{Error, Message};
use dz_net::wire::{gre, icmp, ipv4};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(payload) = gre::decode(bytes) {
        assert!(bytes.ends_with(payload));
    }
    if let Ok(Message::Echo { reply, identifier, sequence, payload }) = icmp::decode(bytes) {
        // The same but for the checksum, of which there are two forms of zero.
        let again = icmp::echo(reply, identifier, sequence, payload);
        assert_eq!((&again[..2], &again[4..]), (&bytes[..2], &bytes[4..]));
    }
    let Ok(header) = ipv4::Header::decode(bytes) else {
        assert_eq!(icmp::error_packet([9, 9, 9, 9].into(), Error::TimeExceeded, bytes), None);
        return;
    };
    assert!(
        header.header_length <= usize::from(header.total_length) && usize::from(header.total_length) <= bytes.len()
    );
    if header.header_length == ipv4::HEADER_LEN {
        assert_eq!(ipv4::Header::decode_checked(&[&header.encode()[..], &bytes[20..]].concat()), Ok(header));
    }
    let was_right = ipv4::Header::decode_checked(bytes).is_ok();
    let mut forwarded = bytes.to_vec();
    if ipv4::decrement_ttl(&mut forwarded) && was_right {
        let hop = ipv4::Header::decode_checked(&forwarded).expect("a right checksum stays right");
        assert_eq!(hop, ipv4::Header { ttl: header.ttl - 1, ..header });
    }
    // What reports on a packet is itself a packet, and quotes it.
    if let Some(report) = icmp::error_packet([9, 9, 9, 9].into(), Error::FragmentationNeeded(1400), bytes) {
        let outer = ipv4::Header::decode_checked(&report).expect("a whole packet");
        assert_eq!((usize::from(outer.total_length), outer.destination), (report.len(), header.source));
        match icmp::decode(&report[ipv4::HEADER_LEN..]) {
            Ok(Message::Error { error, header: quoted, .. }) => {
                assert_eq!((error, quoted), (Error::FragmentationNeeded(1400), header));
            }
            // A packet with less than 8 bytes of payload is quoted whole and is too short to be read back.
            other => assert!(usize::from(header.total_length) < header.header_length + 8, "{other:?}"),
        }
    }
});

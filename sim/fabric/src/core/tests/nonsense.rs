//! Bytes that no kernel would send: nothing panics, and every packet is counted.

use proptest::prelude::*;

use super::*;
use crate::packet::{Offload, PartialChecksum, Segments, Transport};
use crate::profile::Jitter;

fn offload() -> impl Strategy<Value = Offload> {
    let checksum = proptest::option::of(
        (any::<u16>(), any::<u16>()).prop_map(|(start, offset)| PartialChecksum { start, offset }),
    );
    let transport = prop_oneof![any::<bool>().prop_map(|ecn| Transport::Tcp { ecn }), Just(Transport::Udp)];
    let segments =
        proptest::option::of((transport, any::<u16>()).prop_map(|(transport, size)| Segments { transport, size }));
    (checksum, segments).prop_map(|(checksum, segments)| Offload { checksum, segments })
}

/// A header that is right, and behind it anything.
fn half_right() -> impl Strategy<Value = Vec<u8>> {
    let protocol = prop_oneof![Just(ipv4::TCP), Just(ipv4::UDP), Just(ipv4::GRE), Just(ipv4::ICMP), any::<u8>()];
    let options = proptest::collection::vec(any::<u8>(), 0..=40).prop_map(|mut options| {
        options.truncate(options.len() / 4 * 4);
        options
    });
    let payload = proptest::collection::vec(any::<u8>(), 0..3000);
    (protocol, any::<u8>(), any::<u16>(), options, payload).prop_map(|(protocol, ttl, fragment, options, payload)| {
        let mut bytes = ipv4::tests::packet(protocol, A.octets(), B.octets(), 0);
        bytes.extend(&options);
        let header_len = bytes.len();
        bytes[0] = 0x40 | (header_len / 4) as u8;
        bytes.extend(&payload);
        let total = bytes.len() as u16;
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[6..8].copy_from_slice(&fragment.to_be_bytes());
        bytes[8] = ttl;
        ipv4::seal(&mut bytes[..header_len]);
        bytes
    })
}

proptest! {
    #[test]
    fn is_survived_and_counted(
        packets in proptest::collection::vec((
            prop_oneof![proptest::collection::vec(any::<u8>(), 0..100), half_right()],
            offload(),
        ), 1..20),
        apart: bool,
        mtu in proptest::option::of(68..1500u16),
    ) {
        let jitter = if apart { Jitter::Uniform { spread: ms(1) } } else { Jitter::None };
        let mut net = Net::with_path(PathProfile { mtu, jitter, ..delay(1) });
        net.core.set_takes_merged(net.b, true);
        for (bytes, offload) in packets {
            let mut packet = Packet { bytes, offload, recorded: false };
            net.core.receive(net.now, net.a, packet.clone());
            // As the capture does, with whatever came.
            packet.complete_checksum();
        }
        net.drain();
        for row in net.counters().paths {
            let dropped = row.dropped.values().fold(Tally::default(), |sum, tally| sum + *tally);
            prop_assert_eq!(row.sent + row.duplicated + row.fragments, row.delivered + dropped);
        }
    }
}

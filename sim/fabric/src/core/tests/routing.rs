//! Routes of packets, and the routers of the internet.

use std::collections::BTreeMap;

use super::*;
use crate::counters::DropReason;
use crate::packet::{Offload, PartialChecksum, Segments, Transport};
use crate::profile::{Jitter, Reach};

#[test]
fn a_packet_arrives_after_the_delay_with_its_ttl_lowered() {
    let mut net = Net::with_path(delay(20));
    net.now = 5 * MS;
    net.send(net.a, numbered(A, B, 7, 100));
    let arrived = net.drain();
    let expected = with_ttl(numbered(A, B, 7, 100), 63);
    assert_eq!(arrived, [Arrived { at: 25 * MS, port: net.b, packet: Packet::plain(expected) }]);
}

#[test]
fn each_direction_has_its_own_path() {
    let mut net = Net::with_path(delay(20));
    net.send(net.b, numbered(B, A, 1, 100));
    assert_eq!(net.drain()[0].at, 0);
    net.send(net.a, numbered(A, C, 2, 100));
    assert_eq!(net.drain()[0].port, net.c);
}

#[test]
fn a_node_reaches_itself_over_the_internet() {
    let mut net = Net::new();
    net.core.set_path("b", "b", Some(delay(3))).unwrap();
    net.send(net.b, numbered(B, B2, 1, 100));
    assert_eq!(net.drain().iter().map(|a| (a.at, a.port)).collect::<Vec<_>>(), [(3 * MS, net.b)]);
}

/// Sends one packet and expects one drop with one ICMP message, or none.
fn refused(net: &mut Net, bytes: Vec<u8>, to: &str, reason: DropReason) -> Option<(u8, u8, u32)> {
    let len = bytes.len() as u64;
    net.send(net.a, bytes);
    let arrived = net.drain();
    assert!(arrived.len() <= 1 && arrived.iter().all(|answer| answer.port == net.a), "{arrived:?}");
    assert!(arrived.iter().all(|answer| answer.ip().source == ROUTER && answer.ip().destination == A));
    let row = net.counters().paths.into_iter().find(|row| row.from == "a").unwrap();
    assert_eq!((row.to.as_str(), row.sent, row.delivered), (to, tally(1, len), tally(0, 0)));
    assert_eq!(row.dropped, BTreeMap::from([(reason, tally(1, len))]));
    arrived.first().map(Arrived::icmp)
}

#[test]
fn an_unknown_destination_is_answered() {
    let packet = numbered(A, Ipv4Addr::new(8, 8, 8, 8), 1, 100);
    assert_eq!(refused(&mut Net::new(), packet, "internet", DropReason::NoRoute), Some((3, 0, 0)));
}

#[test]
fn an_expired_ttl_is_answered() {
    for ttl in [0, 1] {
        let packet = with_ttl(numbered(A, B, 1, 100), ttl);
        assert_eq!(refused(&mut Net::new(), packet, "b", DropReason::TtlExpired), Some((11, 0, 0)));
    }
}

#[test]
fn an_unreachable_path_is_answered_and_a_silent_one_is_not() {
    let path = |reach| Net::with_path(PathProfile { reach, ..PathProfile::default() });
    let packet = || numbered(A, B, 1, 100);
    let unreachable = refused(&mut path(Reach::Unreachable), packet(), "b", DropReason::Unreachable);
    assert_eq!(unreachable, Some((3, 1, 0)));
    assert_eq!(refused(&mut path(Reach::Silent), packet(), "b", DropReason::Blocked), None);
}

#[test]
fn groups_and_broadcasts_stay_off_the_internet() {
    for to in ["233.84.178.1", "224.0.0.5", "255.255.255.255", "127.0.0.1", "0.0.0.0", "240.0.0.1"] {
        let packet = numbered(A, to.parse().unwrap(), 1, 100);
        assert_eq!(refused(&mut Net::new(), packet, "internet", DropReason::NotUnicast), None, "{to}");
    }
}

#[test]
fn nonsense_is_counted_without_a_protocol() {
    let mut net = Net::new();
    net.send(net.a, vec![0x60; 40]);
    net.send(net.a, vec![]);
    let mut bad = numbered(A, B, 1, 100);
    bad[10] ^= 1;
    net.send(net.a, bad);
    assert_eq!(net.drain(), []);
    let row = net.row("a", "internet", 0);
    assert_eq!(row.sent, tally(3, 140));
    let expected = [(DropReason::NotIpv4, tally(1, 40)), (DropReason::Malformed, tally(2, 100))];
    assert_eq!(row.dropped, BTreeMap::from(expected));
}

#[test]
fn bytes_after_the_packet_are_no_part_of_it() {
    let mut net = Net::new();
    let mut bytes = numbered(A, B, 1, 100);
    bytes.extend([0xee; 30]);
    net.send(net.a, bytes);
    assert_eq!(net.drain()[0].packet.bytes.len(), 100);
    assert_eq!(net.row("a", "b", ipv4::UDP).delivered, tally(1, 100));
}

#[test]
fn what_does_not_fit_is_answered_or_cut() {
    let path = || Net::with_path(PathProfile { mtu: Some(600), ..delay(1) });
    let packet = dont_fragment(numbered(A, B, 1, 601));
    assert_eq!(refused(&mut path(), packet, "b", DropReason::TooBig), Some((3, 4, 600)));

    let mut net = path();
    net.send(net.a, dont_fragment(numbered(A, B, 1, 600)));
    assert_eq!(net.drain().len(), 1);
    net.send(net.a, numbered(A, B, 1, 1500));
    let arrived = net.drain();
    let cut: Vec<_> = arrived.iter().map(|a| (a.ip().fragment_offset(), a.ip().total_length, a.ip().ttl)).collect();
    assert_eq!(cut, [(0, 596, 63), (576, 596, 63), (1152, 348, 63)]);
    let row = net.row("a", "b", ipv4::UDP);
    assert_eq!((row.sent, row.fragments, row.delivered), (tally(2, 2100), tally(2, 40), tally(4, 2140)));
}

/// A TCP segment of `payload` bytes that stands for packets of `size` bytes of it each.
fn large(payload: usize, size: u16) -> Packet {
    let mut bytes = ipv4::tests::packet(ipv4::TCP, A.octets(), B.octets(), 20 + payload);
    bytes[32] = 0x50;
    let bytes = dont_fragment(bytes);
    let segments = Some(Segments { transport: Transport::Tcp { ecn: false }, size });
    Packet { bytes, offload: Offload { checksum: None, segments }, recorded: false }
}

#[test]
fn a_large_segment_passes_in_one_piece_where_nothing_treats_packets_apart() {
    let mut net = Net::with_path(PathProfile { mtu: Some(1500), ..delay(1) });
    net.core.receive(0, net.a, large(14_600, 1460));
    let arrived = net.drain();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].packet.offload, large(0, 1460).offload);
    let row = net.row("a", "b", ipv4::TCP);
    assert_eq!((row.sent, row.delivered), (tally(10, 15_000), tally(10, 15_000)));
}

#[test]
fn a_large_segment_is_cut_where_packets_fare_apart() {
    let mut net = Net::with_path(PathProfile { rate: crate::BitRate::from_bits_per_second(8_000_000), ..delay(0) });
    net.core.receive(0, net.a, large(14_600, 1460));
    let arrived = net.drain();
    // One every 1500 bytes at a byte per microsecond.
    let times: Vec<_> = arrived.iter().map(|a| (a.at, a.packet.bytes.len())).collect();
    assert_eq!(times, (1..=10).map(|i| (i * 1_500_000, 1500)).collect::<Vec<_>>());
    let row = net.row("a", "b", ipv4::TCP);
    assert_eq!((row.sent, row.delivered), (tally(10, 15_000), tally(10, 15_000)));
}

#[test]
fn a_large_segment_of_packets_that_do_not_fit_is_answered_once() {
    let mut net = Net::with_path(PathProfile { mtu: Some(1400), ..delay(1) });
    net.core.receive(0, net.a, large(14_600, 1460));
    let arrived = net.drain();
    assert_eq!(arrived.iter().map(Arrived::icmp).collect::<Vec<_>>(), [(3, 4, 1400)]);
    assert_eq!(net.row("a", "b", ipv4::TCP).dropped, BTreeMap::from([(DropReason::TooBig, tally(10, 15_000))]));
}

#[test]
fn what_was_cut_and_arrives_together_is_joined_again_where_the_device_can_take_it() {
    let jitter = Jitter::Uniform { spread: ms(0) };
    for (takes, count) in [(false, 10), (true, 1)] {
        let mut net = Net::with_path(PathProfile { jitter: jitter.clone(), ..delay(1) });
        net.core.set_takes_merged(net.b, takes);
        let mut packet = large(14_600, 1460);
        packet.bytes[33] = 0x10;
        packet.offload.checksum = Some(PartialChecksum { start: 20, offset: 16 });
        net.core.receive(0, net.a, packet);
        assert_eq!(net.drain().len(), count);
        let row = net.row("a", "b", ipv4::TCP);
        assert_eq!((row.sent, row.delivered), (tally(10, 15_000), tally(10, 15_000)));
        let all = net.core.traffic(None, &Default::default());
        assert_eq!(all.delivered, tally(10, 15_000));
    }
}

#[test]
fn icmp_errors_are_counted_as_the_internets() {
    let mut net = Net::new();
    net.send(net.a, with_ttl(numbered(A, B, 1, 100), 1));
    net.drain();
    let row = net.row("internet", "a", ipv4::ICMP);
    assert_eq!((row.sent, row.delivered), (tally(1, 128), tally(1, 128)));
}

#[test]
fn memory_is_bounded() {
    let mut net = Net::with(CoreConfig { seed: 1, router: ROUTER, max_bytes: 100_000, max_flows: 16 });
    net.core.set_path("a", "b", Some(delay(100))).unwrap();
    for number in 0..1000 {
        net.send_numbered(number, 1000);
    }
    let row = net.row("a", "b", ipv4::UDP);
    let dropped = row.dropped[&DropReason::OutOfMemory];
    assert!(row.under_way.bytes < 100_000 && row.under_way.packets > 50, "{row:?}");
    assert_eq!(row.under_way + dropped, tally(1000, 1_000_000));
    assert_eq!(net.drain().len() as u64, row.under_way.packets);
    net.send_numbered(0, 1000);
    assert_eq!(net.drain().len(), 1);
}

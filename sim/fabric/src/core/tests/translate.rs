//! Hosts behind a translator.

use dz_net::wire::{checksum::Sum, icmp};

use super::*;
use crate::core::NatFilter;
use crate::counters::DropReason;

const HOME: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 3);
/// Of the translator.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(9, 9, 9, 9);

/// `home` and `other` behind one translator.
fn behind(filter: NatFilter) -> (Net, PortId, PortId) {
    let mut net = Net::new();
    let mut add = |name: &str, inside: Ipv4Addr| {
        let port = net.core.attach(name, &[inside.into()]).unwrap();
        net.core.put_behind(name, inside, OUTSIDE, filter).unwrap();
        port
    };
    let (home, other) = (add("home", HOME), add("other", OTHER));
    (net, home, other)
}

fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Vec<u8> {
    let mut bytes = ipv4::tests::packet(ipv4::UDP, from.0.octets(), to.0.octets(), 12);
    bytes[20..22].copy_from_slice(&from.1.to_be_bytes());
    bytes[22..24].copy_from_slice(&to.1.to_be_bytes());
    bytes[24..28].copy_from_slice(&[0, 12, 0, 0]);
    let sum = Sum::new().pseudo_header(from.0, to.0, ipv4::UDP, 12).bytes(&bytes[20..]).finish();
    bytes[26..28].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn gre(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    ipv4::tests::packet(ipv4::GRE, from.octets(), to.octets(), 40)
}

/// Source and destination of a datagram that came out, whose checksums must be right.
fn ends(arrived: &Arrived) -> ((Ipv4Addr, u16), (Ipv4Addr, u16)) {
    let (ip, bytes) = (arrived.ip(), &arrived.packet.bytes);
    let length = ip.total_length - 20;
    let sum = Sum::new().pseudo_header(ip.source, ip.destination, ipv4::UDP, length).bytes(&bytes[20..]);
    assert_eq!(sum.folded(), 0xffff, "the checksum of {bytes:?}");
    ((ip.source, ipv4::word(bytes, 20)), (ip.destination, ipv4::word(bytes, 22)))
}

/// The only packet that came out.
#[track_caller]
fn only(arrived: Vec<Arrived>) -> Arrived {
    assert_eq!(arrived.len(), 1, "{arrived:?}");
    arrived.into_iter().next().unwrap()
}

#[test]
fn answers_find_their_host() {
    let (mut net, home, other) = behind(NatFilter::PortRestricted);
    net.send(home, udp((HOME, 5000), (A, 53)));
    assert_eq!(ends(&only(net.drain())), ((OUTSIDE, 5000), (A, 53)));
    // The same port of another host gets another number outside.
    net.send(other, udp((OTHER, 5000), (A, 53)));
    assert_eq!(ends(&only(net.drain())), ((OUTSIDE, 1024), (A, 53)));
    net.send(net.a, udp((A, 53), (OUTSIDE, 5000)));
    let answer = only(net.drain());
    assert_eq!((answer.port, ends(&answer)), (home, ((A, 53), (HOME, 5000))));
    net.send(net.a, udp((A, 53), (OUTSIDE, 1024)));
    let answer = only(net.drain());
    assert_eq!((answer.port, ends(&answer)), (other, ((A, 53), (OTHER, 5000))));
}

#[test]
fn the_filter_decides_who_gets_in() {
    for (filter, others, unknown) in [(NatFilter::FullCone, 2, 0), (NatFilter::PortRestricted, 0, 2)] {
        let (mut net, home, _) = behind(filter);
        net.send(home, udp((HOME, 5000), (A, 53)));
        net.drain();
        net.send(net.b, udp((B, 53), (OUTSIDE, 5000)));
        net.send(net.a, udp((A, 54), (OUTSIDE, 5000)));
        assert_eq!(net.drain().len(), others, "{filter:?}");
        assert_eq!(net.counters().dropped(DropReason::NotTranslated).packets, unknown, "{filter:?}");
        // A port that nobody has sent from leads to nobody.
        net.send(net.a, udp((A, 53), (OUTSIDE, 5001)));
        assert!(net.drain().is_empty());
    }
}

#[test]
fn gre_is_told_apart_by_address_alone() {
    let (mut net, home, other) = behind(NatFilter::PortRestricted);
    net.send(net.b, gre(B, OUTSIDE));
    assert!(net.drain().is_empty(), "nobody has sent any");
    net.send(home, gre(HOME, B));
    net.send(other, gre(OTHER, B2));
    let sources: Vec<_> = net.drain().iter().map(|arrived| arrived.ip().source).collect();
    assert_eq!(sources, [OUTSIDE; 2]);
    net.send(net.b, gre(B, OUTSIDE));
    let back = only(net.drain());
    assert_eq!((back.port, back.ip().destination), (home, HOME));
    net.send(net.b, gre(B2, OUTSIDE));
    let back = only(net.drain());
    assert_eq!((back.port, back.ip().destination), (other, OTHER));
    // Another host cannot have what is in use, but what has long been silent.
    net.send(other, gre(OTHER, B));
    assert!(net.drain().is_empty());
    net.now += 31_000 * MS;
    net.send(other, gre(OTHER, B));
    assert_eq!(net.drain().len(), 1);
    net.send(net.b, gre(B, OUTSIDE));
    assert_eq!(only(net.drain()).port, other);
}

#[test]
fn pings_and_errors_come_back() {
    let (mut net, home, _) = behind(NatFilter::PortRestricted);
    let ping = |from: Ipv4Addr, to: Ipv4Addr, reply| {
        dz_net::wire::ipv4::packet(from, to, ipv4::ICMP, &icmp::echo(reply, 77, 1, b"payload.")).unwrap()
    };
    net.send(home, ping(HOME, A, false));
    assert_eq!(only(net.drain()).ip().source, OUTSIDE);
    net.send(net.a, ping(A, OUTSIDE, true));
    let answer = only(net.drain());
    assert_eq!((answer.port, answer.ip().destination), (home, HOME));
    assert!(icmp::decode(&answer.packet.bytes[20..]).is_ok());
    // A router's report about a packet quotes it as the host sent it.
    net.core.set_path("home", "b", Some(PathProfile { mtu: Some(600), ..PathProfile::default() })).unwrap();
    let mut large = ipv4::tests::packet(ipv4::GRE, HOME.octets(), B.octets(), 900);
    large[6..8].copy_from_slice(&0x4000u16.to_be_bytes());
    ipv4::seal(&mut large[..20]);
    net.send(home, large);
    let report = only(net.drain());
    assert_eq!((report.port, report.ip().destination), (home, HOME));
    match icmp::decode(&report.packet.bytes[20..]) {
        Ok(icmp::Message::Error { error, header, .. }) => {
            assert_eq!((error, header.source, header.destination), (icmp::Error::FragmentationNeeded(600), HOME, B));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_the_hosts_own_does_not_leave() {
    let (mut net, home, _) = behind(NatFilter::FullCone);
    net.send(home, udp((OUTSIDE, 5000), (A, 53)));
    net.send(home, udp((OTHER, 5000), (A, 53)));
    assert!(net.drain().is_empty());
    assert_eq!(net.counters().dropped(DropReason::NotTranslated).packets, 2);
    // And its own address is no address of the internet.
    net.send(net.a, udp((A, 53), (HOME, 5000)));
    assert_eq!(only(net.drain()).port, net.a, "the report that there is no route");
}

//! Packets between hosts: echo, errors, datagrams.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use dz_net::host::{Host, UdpSpec, Watched};
use dz_net::kernel::{Change, RouteInfo};
use dz_net::probe::ProbeConfig;
use dzsim_fabric::PathProfile;

use crate::world::{A, B, DELAY, HELPER, World, once};

#[tokio::test]
async fn a_round_trip_takes_what_the_path_takes_to_the_nanosecond() {
    let world = World::new(HELPER);
    let result = world.ping(&world.a, B, once()).await;
    assert_eq!((result.sent, result.rtts, result.last_error), (1, vec![2 * DELAY], None));
}

#[tokio::test]
async fn a_reply_that_is_too_late_for_one_round_is_none_to_the_next() {
    let world = World::new(HELPER);
    // The reply to the first comes while the second waits, which ends before its own comes.
    let timeout = DELAY * 3 / 2;
    let mut pinger = world.a.pinger(ProbeConfig { timeout, ..once() }).await.unwrap();
    for _ in 0..3 {
        let results = world.run(pinger.round([B].into())).await.unwrap();
        assert_eq!((results[&B].sent, results[&B].received), (1, 0));
    }
}

#[tokio::test]
async fn a_destination_that_nobody_has_is_reported_by_the_internet() {
    let world = World::new(HELPER);
    let result = world.ping(&world.a, [9, 9, 9, 9].into(), once()).await;
    assert_eq!(result.last_error.as_deref(), Some("network unreachable, says 192.0.0.8"));
}

#[tokio::test]
async fn without_a_route_nothing_is_sent() {
    let world = World::new(HELPER);
    let default =
        world.a.routes().await.unwrap().into_iter().find(|route| route.destination.prefix_len() == 0).unwrap();
    world.a.delete_route(&default).await.unwrap();
    let result = world.ping(&world.a, B, once()).await;
    assert_eq!(result.last_error.as_deref(), Some("Network is unreachable (os error 101)"));
    let error = world.a.source_towards(B).await.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
}

#[tokio::test]
async fn what_is_too_big_is_reported_and_remembered() {
    let world = World::new(HELPER);
    let profile = PathProfile { mtu: Some(1400), ..PathProfile::with_delay(DELAY) };
    world.network.fabric().set_path("a", "b", profile).unwrap();
    let big = ProbeConfig { probes: 2, payload: 1400, dont_fragment: true, ..once() };
    let result = world.ping(&world.a, B, big.clone()).await;
    assert_eq!((result.received, result.too_big), (0, Some(1400)));
    // The first was refused by a router, the second by the host itself.
    assert_eq!(result.last_error.as_deref(), Some("Message too long (os error 90)"));
    let cut = ProbeConfig { dont_fragment: false, ..big };
    assert_eq!(world.ping(&world.a, B, cut).await.received, 2);
}

#[tokio::test]
async fn datagrams_find_their_socket() {
    let world = World::new(HELPER);
    let (at, other) = (SocketAddrV4::new(B, 7000), SocketAddrV4::new(B, 7001));
    let bound = |address| UdpSpec { bind: Some(address), ..UdpSpec::default() };
    let receiver = world.b.udp(&bound(at)).await.unwrap();
    let sender = world.a.udp(&UdpSpec::default()).await.unwrap();
    sender.send_to(b"to nobody", other).unwrap();
    sender.send_to(&[7; 4000], at).unwrap();
    let mut buffer = vec![0; 5000];
    let (length, from) = world.run(receiver.recv_from(&mut buffer)).await.unwrap();
    assert_eq!((length, &buffer[..length], *from.ip()), (4000, &[7; 4000][..], A));
    assert_eq!(from.port(), sender.local_addr().unwrap().port());
    let refused = world.a.udp(&bound(at)).await.unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EADDRNOTAVAIL));
    // A source that is not the host's may be bound to, and not be sent from.
    let freebind = UdpSpec { freebind: true, ..bound(at) };
    let error = world.a.udp(&freebind).await.unwrap().send_to(b"", at).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
}

#[tokio::test]
async fn what_a_host_sends_to_itself_is_heard_at_the_interface_that_has_the_address() {
    let world = World::new(HELPER);
    let at = SocketAddrV4::new(B, 7000);
    let index = world.b.addrs().await.unwrap().into_iter().find(|addr| addr.address.addr() == B).unwrap().index;
    let links = world.b.links().await.unwrap();
    let name = links.iter().find(|link| link.index == index).unwrap().name.clone();
    let open = |device: &str| UdpSpec { bind: Some(at), device: Some(device.to_owned()), ..UdpSpec::default() };
    let receiver = world.b.udp(&open(&name)).await.unwrap();
    let sender = world.b.udp(&UdpSpec::default()).await.unwrap();
    sender.send_to(b"to myself", at).unwrap();
    let mut buffer = [0; 16];
    let (length, from) = world.run(receiver.recv_from(&mut buffer)).await.unwrap();
    assert_eq!((&buffer[..length], *from.ip()), (&b"to myself"[..], B));
}

#[tokio::test]
async fn what_a_route_sends_by_the_loopback_is_for_this_host() {
    let world = World::new(HELPER);
    let route = RouteInfo { dev: Some(1), ..RouteInfo::unicast("192.0.2.1/32".parse().unwrap()) };
    let _ = world.b.add_route(&route).await.unwrap();
    let everywhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 7000);
    let receiver = world.b.udp(&UdpSpec { bind: Some(everywhere), ..UdpSpec::default() }).await.unwrap();
    let sender = world.b.udp(&UdpSpec::default()).await.unwrap();
    sender.send_to(b"by the loopback", SocketAddrV4::new([192, 0, 2, 1].into(), 7000)).unwrap();
    let mut buffer = [0; 16];
    let (length, _) = world.run(receiver.recv_from(&mut buffer)).await.unwrap();
    assert_eq!(&buffer[..length], b"by the loopback");
}

#[tokio::test]
async fn a_rebooted_host_has_forgotten_everything_but_its_ports() {
    let world = World::new(HELPER);
    let mut watch = world.b.watch(Watched::EndHost).await.unwrap();
    let socket = world.b.udp(&UdpSpec::default()).await.unwrap();
    let route = RouteInfo { dev: Some(2), ..RouteInfo::unicast("10.0.0.0/8".parse().unwrap()) };
    let other = world.network.host("b").unwrap();
    let _ = other.add_route(&route).await.unwrap();
    assert_eq!(watch.changed().await.unwrap(), [Change::Route].into());
    // What the watcher does itself it has an answer to.
    world.b.replace_route(&RouteInfo { mtu: Some(1400), ..route.clone() }).await.unwrap();
    assert_eq!(watch.since().unwrap(), [].into());
    world.network.reboot("b").unwrap();
    watch.changed().await.unwrap_err();
    assert_eq!(socket.send_to(b"", SocketAddrV4::new(A, 1)).unwrap_err().raw_os_error(), Some(libc::EBADF));
    assert!(!world.b.routes().await.unwrap().contains(&route));
    assert_eq!(world.ping(&world.a, B, once()).await.received, 1);
}

#[tokio::test]
async fn the_ttl_is_taken_down_on_the_way() {
    let world = World::new(HELPER);
    let sender = world.a.udp(&UdpSpec { ttl: Some(1), ..UdpSpec::default() }).await.unwrap();
    let receiver =
        world.b.udp(&UdpSpec { bind: Some(SocketAddrV4::new(B, 7000)), ..UdpSpec::default() }).await.unwrap();
    sender.send_to(b"one hop", SocketAddrV4::new(B, 7000)).unwrap();
    let mut buffer = [0; 16];
    let waited = world.run(tokio::time::timeout(Duration::from_millis(30), receiver.recv_from(&mut buffer))).await;
    assert!(waited.is_err(), "the internet is a hop of its own");
}

//! Bad paths, and nodes that go.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dz_net::sandbox;
use dzsim_fabric::{
    BitRate, DropReason, Fabric, FabricConfig, FabricError, Jitter, Loss, NodeSpec, PathProfile, Probability,
    TrafficFilter,
};

use dzsim_testbed::{Answer, DEADLINE, Host, Offload};

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

fn start() -> Result<(Fabric, Host, Host)> {
    let fabric = Fabric::start(FabricConfig::default())?;
    let a = Host::attached(&fabric, "a", "192.0.2.1/32".parse()?, Offload::On)?;
    let b = Host::attached(&fabric, "b", "198.51.100.1/32".parse()?, Offload::On)?;
    Ok((fabric, a, b))
}

fn pings(from: &Host, to: Ipv4Addr) -> Result<bool> {
    Ok(matches!(from.pinger()?.ping(to, 56)?, Answer::Reply { .. }))
}

/// Sends an echo request to an address without a host, and waits until the fabric has counted its loss.
fn is_lost(fabric: &Fabric, from: &Host, to: Ipv4Addr, reason: DropReason) -> Result<()> {
    let before = fabric.counters().dropped(reason).packets;
    let mut version = fabric.version();
    from.udp(0)?.send_to(b"into the void", (to, 9))?;
    let start = Instant::now();
    while fabric.counters().dropped(reason).packets == before {
        ensure!(start.elapsed() < DEADLINE, "no packet was dropped for {reason:?}");
        version = fabric.wait_traffic(version, DEADLINE);
    }
    Ok(())
}

#[test]
fn tcp_gets_through_a_bad_path() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (fabric, a, b) = start()?;
            let bad = PathProfile {
                jitter: Jitter::Normal { deviation: Duration::from_micros(300) },
                loss: Loss::Random { probability: Probability::new(0.01)? },
                duplicate: Probability::new(0.01)?,
                rate: BitRate::from_bits_per_second(200_000_000),
                // Below what either end has: large segments are answered until they fit.
                mtu: Some(1300),
                ..PathProfile::with_delay(Duration::from_millis(1))
            };
            fabric.set_path_both("a", "b", bad)?;
            let listener = b.listener(80)?;
            let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
            let mut stream = a.connect(B, 80)?;
            let (mut accepted, _) = listener.accept()?;
            let received = std::thread::scope(|scope| {
                let reader = scope.spawn(move || {
                    let mut received = Vec::new();
                    accepted.read_to_end(&mut received).map(|_| received)
                });
                stream.write_all(&sent)?;
                drop(stream);
                reader.join().expect("the reader does not panic")
            })?;
            assert!(received == sent, "bytes changed on the way");
            let counters = fabric.counters();
            assert!(counters.dropped(DropReason::Lost).packets > 0);
            assert!(counters.dropped(DropReason::TooBig).packets > 0);
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn faults_come_and_go() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (fabric, a, b) = start()?;
            assert!(pings(&a, B)?);
            fabric.partition(&["a"], &["b"])?;
            is_lost(&fabric, &a, B, DropReason::Blocked)?;
            fabric.heal();
            assert!(pings(&a, B)?);
            fabric.block("b", "a")?;
            is_lost(&fabric, &b, A, DropReason::Blocked)?;
            fabric.unblock("b", "a")?;
            fabric.set_uplink("b", false)?;
            is_lost(&fabric, &a, B, DropReason::LinkDown)?;
            fabric.set_uplink("b", true)?;
            fabric.set_address_path(Some("a"), "198.51.100.1/32".parse()?, PathProfile::silent())?;
            is_lost(&fabric, &a, B, DropReason::Blocked)?;
            fabric.reset_address_path(Some("a"), "198.51.100.1/32".parse()?)?;
            assert!(pings(&a, B)?);
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn an_interface_that_is_down_in_its_kernel_refuses_until_it_is_up() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (fabric, a, b) = start()?;
            b.set_up("eth0", false)?;
            is_lost(&fabric, &a, B, DropReason::Refused)?;
            b.set_up("eth0", true)?;
            b.route("0.0.0.0/0".parse()?, "eth0")?;
            assert!(pings(&a, B)?);
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn a_node_goes_and_returns() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (fabric, a, b) = start()?;
            fabric.set_path("a", "b", PathProfile::with_delay(Duration::from_millis(20)))?;
            fabric.detach("b")?;
            is_lost(&fabric, &a, B, DropReason::NoRoute)?;
            let tun = b.device("eth1", Some("198.51.100.1/32".parse()?), false)?;
            // The old uplink went with its descriptor, and its routes with it.
            b.route("0.0.0.0/0".parse()?, "eth1")?;
            let prefixes = vec!["198.51.100.1/32".parse()?];
            fabric.attach(NodeSpec { name: "b".to_owned(), tun, vnet_hdr: false, prefixes })?;
            let Answer::Reply { rtt, .. } = a.pinger()?.ping(B, 56)? else { panic!("an error came back") };
            assert!(rtt >= Duration::from_millis(20));
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn a_device_that_moves_to_another_namespace_stays_attached() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (_fabric, a, b) = start()?;
            assert!(pings(&a, B)?);
            let reborn = Host::new(B)?;
            b.move_device("eth0", &reborn)?;
            reborn.configure("eth0", Some("198.51.100.1/32".parse()?))?;
            reborn.route("0.0.0.0/0".parse()?, "eth0")?;
            drop(b);
            assert!(pings(&a, B)?);
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn a_namespace_that_ends_takes_nothing_with_it() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (fabric, a, b) = start()?;
            let c = Host::attached(&fabric, "c", "203.0.113.1/32".parse()?, Offload::Off)?;
            drop(b);
            // The kernel removes the namespace in its own time; the others do not notice.
            assert!(pings(&a, c.address)?);
            fabric.detach("b")?;
            assert!(pings(&c, A)?);
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn a_stopped_fabric_carries_nothing_and_still_counts() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (fabric, a, b) = start()?;
            assert!(pings(&a, B)?);
            fabric.stop()?;
            fabric.stop()?;
            let to_b = TrafficFilter { destination: Some(B), ..TrafficFilter::default() };
            let before = fabric.traffic(&to_b);
            assert_eq!(before.delivered.packets, 1);
            a.udp(0)?.send_to(b"too late", (B, 9))?;
            assert_eq!(fabric.wait_traffic(fabric.version(), Duration::from_millis(1)), fabric.version());
            assert_eq!(fabric.traffic(&to_b), before);
            let tun = b.device("eth1", None, false)?;
            let spec = NodeSpec { name: "c".to_owned(), tun, vnet_hdr: false, prefixes: vec![] };
            assert!(matches!(fabric.attach(spec), Err(FabricError::Stopped)));
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn what_is_no_tun_is_refused() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let (fabric, _a, b) = start()?;
            let refused = |tun, vnet_hdr| {
                let spec = NodeSpec { name: "c".to_owned(), tun, vnet_hdr, prefixes: vec![] };
                fabric.attach(spec).map(drop).unwrap_err().to_string()
            };
            let pipe = std::io::pipe()?.0.into();
            assert_eq!(refused(pipe, false), "use the device of c: Inappropriate ioctl for device (os error 25)");
            let tun = b.device("eth1", None, false)?;
            assert_eq!(refused(tun, true), "use the device of c: it was opened without IFF_VNET_HDR");
            Ok(())
        };
        body().unwrap();
    });
}

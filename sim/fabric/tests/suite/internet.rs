//! Paths between nodes over the simulated internet.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::Result;
use dz_net::sandbox;
use dzsim_fabric::{
    DropReason, Fabric, FabricConfig, FabricError, NodeSpec, PathProfile, Tally, Traffic, TrafficFilter,
};

use dzsim_testbed::{Answer, DEADLINE, Host, Offload};
use ipnet::Ipv4Net;
use socket2::{Protocol, Type};

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

fn test(body: impl FnOnce() -> Result<()>) {
    body().unwrap();
}

fn start() -> Result<Fabric> {
    Ok(Fabric::start(FabricConfig::default())?)
}

fn two_hosts(fabric: &Fabric, offload: Offload) -> Result<(Host, Host)> {
    Ok((
        Host::attached(fabric, "a", "192.0.2.1/32".parse()?, offload)?,
        Host::attached(fabric, "b", "198.51.100.1/29".parse()?, offload)?,
    ))
}

fn one_way(delay_ms: u64) -> PathProfile {
    PathProfile::with_delay(Duration::from_millis(delay_ms))
}

#[test]
fn a_ping_takes_the_delay_of_both_directions() {
    sandbox::run(|| {
        test(|| {
            let fabric = start()?;
            let (a, _b) = two_hosts(&fabric, Offload::Off)?;
            fabric.set_path("a", "b", one_way(30))?;
            fabric.set_path("b", "a", one_way(12))?;
            let Answer::Reply { rtt, ttl } = a.pinger()?.ping(B, 56)? else { panic!("an error came back") };
            assert!((Duration::from_millis(42)..DEADLINE).contains(&rtt), "{rtt:?}");
            assert_eq!(ttl, 63);
            let counters = fabric.counters();
            let tally = Tally { packets: 1, bytes: 84 };
            let both = Traffic { sent: tally, delivered: tally };
            assert_eq!(counters.total(|path| path.from == "a" && path.to == "b" && path.protocol == 1), both);
            assert_eq!(counters.total(|path| path.from == "b" && path.to == "a" && path.protocol == 1), both);
            Ok(())
        });
    });
}

#[test]
fn a_host_that_many_ask_at_once_loses_no_answer() {
    const HOSTS: u8 = 10;
    const QUESTIONS: u64 = 1500;
    sandbox::run(|| {
        test(|| {
            let fabric = start()?;
            // All questions are under way before the first arrives, so they come in one burst: three times what the device
            // of the one who is asked has room for.
            fabric.set_default_path(one_way(300))?;
            let asked = Host::attached(&fabric, "b", "198.51.100.1/32".parse()?, Offload::On)?;
            let mut request = [8, 0, 0, 0, 0, 1, 0, 1];
            request[2..4].copy_from_slice(&(!0x0802u16).to_be_bytes());
            for number in 1..=HOSTS {
                let net = Ipv4Net::new(Ipv4Addr::new(192, 0, 2, number), 32)?;
                let host = Host::attached(&fabric, &format!("a{number}"), net, Offload::On)?;
                let socket = host.socket(Type::RAW, Some(Protocol::ICMPV4))?;
                for _ in 0..QUESTIONS {
                    socket.send_to(&request, &SocketAddrV4::new(B, 0).into())?;
                }
            }
            let answers = TrafficFilter { source: Some(B), ..TrafficFilter::default() };
            let deadline = Instant::now() + DEADLINE;
            let wanted = u64::from(HOSTS) * QUESTIONS;
            while fabric.traffic(&answers).sent.packets < wanted && Instant::now() < deadline {
                let seen = fabric.version();
                fabric.wait_traffic(seen, Duration::from_millis(100));
            }
            assert_eq!((fabric.traffic(&answers).sent.packets, asked.dropped()?), (wanted, 0));
            Ok(())
        });
    });
}

#[test]
fn tcp_passes_with_and_without_offloads() {
    sandbox::run(|| {
        test(|| {
            for (offload_a, offload_b) in
                [(Offload::Off, Offload::Off), (Offload::On, Offload::On), (Offload::On, Offload::Off)]
            {
                let fabric = start()?;
                let a = Host::attached(&fabric, "a", "192.0.2.1/32".parse()?, offload_a)?;
                let b = Host::attached(&fabric, "b", "198.51.100.1/29".parse()?, offload_b)?;
                fabric.set_default_path(one_way(1))?;
                let listener = b.listener(80)?;
                let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
                let mut stream = a.connect(B, 80)?;
                let (mut accepted, peer) = listener.accept()?;
                assert_eq!(peer.ip(), a.address);
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
            }
            Ok(())
        });
    });
}

#[test]
fn nobody_at_the_destination_is_told() {
    sandbox::run(|| {
        test(|| {
            let fabric = start()?;
            let (a, _b) = two_hosts(&fabric, Offload::Off)?;
            let answer = a.pinger()?.ping(Ipv4Addr::new(203, 0, 113, 1), 56)?;
            assert_eq!(answer, Answer::Error { kind: 3, code: 0, rest: 0, from: ROUTER });
            assert_eq!(fabric.counters().dropped(DropReason::NoRoute), Tally { packets: 1, bytes: 84 });
            Ok(())
        });
    });
}

#[test]
fn too_large_is_told_with_the_mtu_of_the_path() {
    sandbox::run(|| {
        test(|| {
            let fabric = start()?;
            let (a, _b) = two_hosts(&fabric, Offload::Off)?;
            fabric.set_path("a", "b", PathProfile { mtu: Some(1300), ..PathProfile::default() })?;
            // The kernel sets the don't-fragment flag by itself, and learns the MTU from the answer.
            let mut pinger = a.pinger()?;
            let answer = pinger.ping(B, 1400)?;
            assert_eq!(answer, Answer::Error { kind: 3, code: 4, rest: 1300, from: ROUTER });
            let answer = pinger.ping(B, 1400)?;
            assert!(matches!(answer, Answer::Reply { .. }), "{answer:?}");
            assert_eq!(fabric.counters().dropped(DropReason::TooBig), Tally { packets: 1, bytes: 1428 });
            Ok(())
        });
    });
}

#[test]
fn a_ttl_that_runs_out_is_told() {
    sandbox::run(|| {
        test(|| {
            let fabric = start()?;
            let (a, _b) = two_hosts(&fabric, Offload::Off)?;
            let mut pinger = a.pinger()?;
            pinger.socket.set_ttl_v4(1)?;
            assert_eq!(pinger.ping(B, 56)?, Answer::Error { kind: 11, code: 0, rest: 0, from: ROUTER });
            pinger.socket.set_ttl_v4(2)?;
            assert!(matches!(pinger.ping(B, 56)?, Answer::Reply { .. }));
            Ok(())
        });
    });
}

#[test]
fn two_nodes_cannot_have_one_address() {
    sandbox::run(|| {
        test(|| {
            let fabric = start()?;
            let (_a, b) = two_hosts(&fabric, Offload::Off)?;
            let tun = b.device("eth1", None, false)?;
            let spec = NodeSpec {
                name: "c".to_owned(),
                tun,
                vnet_hdr: false,
                prefixes: vec!["203.0.113.0/24".parse()?, "198.51.100.7/32".parse()?],
            };
            let error = fabric.attach(spec).unwrap_err();
            assert_eq!(error.to_string(), "198.51.100.7/32 of c overlaps 198.51.100.0/29 of b");
            // Nothing of the refused node stays.
            fabric.add_prefix("b", "203.0.113.0/24".parse()?)?;
            assert!(
                matches!(fabric.set_path("a", "nobody", one_way(1)), Err(FabricError::UnknownNode(name)) if name == "nobody")
            );
            Ok(())
        });
    });
}

#[test]
fn whoever_waits_for_traffic_hears_of_it() {
    sandbox::run(|| {
        test(|| {
            let fabric = start()?;
            let (a, _b) = two_hosts(&fabric, Offload::Off)?;
            let mark = fabric.mark();
            let filter = TrafficFilter { source: Some(B), destination: Some(A), ..TrafficFilter::default() };
            assert_eq!(fabric.traffic_since(&mark, &filter), Traffic::default());
            let waiting = fabric.clone();
            let waiter = std::thread::spawn(move || {
                let mut version = waiting.version();
                while waiting.traffic_since(&mark, &filter).delivered.packets < 3 {
                    let next = waiting.wait_traffic(version, DEADLINE);
                    assert_ne!(next, version, "no traffic within the deadline");
                    version = next;
                }
                waiting.traffic_since(&mark, &filter).delivered
            });
            for _ in 0..3 {
                a.pinger()?.ping(B, 56)?;
            }
            assert_eq!(waiter.join().expect("the waiter does not panic"), Tally { packets: 3, bytes: 252 });
            Ok(())
        });
    });
}

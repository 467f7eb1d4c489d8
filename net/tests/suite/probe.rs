//! Probing real and absent hosts.

use std::net::Ipv4Addr;
use std::time::Duration;

use dz_net::kernel::RouteInfo;
use dz_net::probe::{ProbeConfig, ProbeError, ProbeResult, Prober};
use dz_net::sandbox;
use dz_net::wire::icmp;
use socket2::{Domain, Protocol, Socket, Type};

use crate::hosts::{A, B, Host, Hosts};

fn config() -> ProbeConfig {
    ProbeConfig { timeout: Duration::from_millis(300), ..ProbeConfig::default() }
}

async fn probe(host: &Host, config: ProbeConfig, targets: Vec<Ipv4Addr>) -> Vec<(Ipv4Addr, ProbeResult)> {
    let round = async move || Prober::open(config).unwrap().round(targets).await.unwrap();
    host.run(round).await.into_iter().collect()
}

#[test]
fn a_host_that_answers_has_times_and_one_that_does_not_has_none() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        let absent = Ipv4Addr::new(9, 0, 0, 77);
        let elsewhere = Ipv4Addr::new(8, 8, 8, 8);
        let results = probe(&hosts.a, config(), vec![B, absent, elsewhere]).await;
        let [(first, no_route), (second, answered), (third, silent)] = &results[..] else { panic!("{results:?}") };
        assert_eq!((*first, *second, *third), (elsewhere, B, absent));

        assert_eq!((answered.sent, answered.received, answered.rtts.len()), (3, 3, 3), "{results:?}");
        assert!(answered.min().unwrap() > Duration::ZERO, "{answered:?}");
        assert_eq!((answered.last_error.as_deref(), answered.loss()), (None, 0.0));

        // Nobody has that address: the requests are lost, and the kernel may say why before the wait is over.
        assert_eq!((silent.sent, silent.received, silent.min(), silent.loss()), (3, 0, None, 1.0));

        let last_error = Some("Network is unreachable (os error 101)".to_owned());
        assert_eq!(*no_route, ProbeResult { sent: 3, received: 0, rtts: vec![], last_error, ..ProbeResult::default() });
    });
}

#[test]
fn a_router_that_reports_is_named() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        let far = Ipv4Addr::new(8, 8, 8, 8);
        let device = hosts.a.netlink.link_index("eth0").await.unwrap();
        let route = RouteInfo { via: Some(B), dev: Some(device), ..RouteInfo::unicast("8.8.8.8/32".parse().unwrap()) };
        let _ = hosts.a.netlink.add_route(&route).await.unwrap();
        hosts.b.ns.run(|| dz_net::kernel::sysctl::write("net/ipv4/ip_forward", "1").unwrap()).unwrap();
        let results = probe(&hosts.a, ProbeConfig { probes: 1, ..config() }, vec![far]).await;
        let last_error = Some("network unreachable, says 9.0.0.2".to_owned());
        assert_eq!(
            results,
            [(far, ProbeResult { sent: 1, received: 0, rtts: vec![], last_error, ..ProbeResult::default() })]
        );
    });
}

#[test]
fn replies_from_elsewhere_and_unasked_for_are_ignored() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        // The far end answers nothing by itself; what it sends is made here.
        hosts.b.ns.run(|| dz_net::kernel::sysctl::write("net/ipv4/icmp_echo_ignore_all", "1").unwrap()).unwrap();
        hosts.b.add_address("eth0", "9.0.0.3/24").await;
        let raw = |from: Ipv4Addr| {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
            socket.bind(&std::net::SocketAddr::from((from, 0)).into()).unwrap();
            socket
        };
        let (wire, elsewhere) = hosts.b.ns.run(|| (raw(B), raw(Ipv4Addr::new(9, 0, 0, 3)))).unwrap();
        wire.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let answering = std::thread::spawn(move || {
            let to = std::net::SocketAddr::from((A, 0)).into();
            for request in 0..3 {
                let mut buffer = [0u8; 2048];
                let length = std::io::Read::read(&mut (&wire), &mut buffer).unwrap();
                let message = icmp::decode(&buffer[20..length]).unwrap();
                let icmp::Message::Echo { identifier, sequence, payload, .. } = message else { panic!("{message:?}") };
                let right = icmp::echo(true, identifier, sequence, payload);
                match request {
                    0 => elsewhere.send_to(&right, &to).unwrap(),
                    1 => wire.send_to(&icmp::echo(true, identifier.wrapping_add(1), sequence, payload), &to).unwrap(),
                    _ => {
                        wire.send_to(&icmp::echo(true, identifier, sequence.wrapping_add(1), payload), &to).unwrap();
                        wire.send_to(&icmp::echo(true, identifier, sequence, &[0; 56]), &to).unwrap();
                        wire.send_to(&right, &to).unwrap();
                        wire.send_to(&right, &to).unwrap()
                    }
                };
            }
        });
        let results = probe(&hosts.a, config(), vec![B]).await;
        answering.join().unwrap();
        assert_eq!((results[0].1.sent, results[0].1.received), (3, 1), "{results:?}");
    });
}

#[test]
fn a_thousand_targets_in_one_round() {
    sandbox::run_async(|| async {
        let host = Host::new().await;
        // All of 127/8 answers, and half of the targets are where no route leads.
        let near = (0..500u32).map(|i| Ipv4Addr::from(0x7f00_0001 + i));
        let far = (0..500u32).map(|i| Ipv4Addr::from(0x0900_0001 + i));
        let results = probe(&host, config(), near.chain(far).collect()).await;
        assert_eq!(results.len(), 1000);
        for (target, result) in results {
            let expected = if target.is_loopback() { (3, 3) } else { (3, 0) };
            assert_eq!((result.sent, result.received), expected, "{target}");
        }
    });
}

#[test]
fn source_and_interface_are_kept_to() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        hosts.a.add_address("eth0", "9.0.0.5/24").await;
        let config = |source: Option<[u8; 4]>, device: Option<&str>| ProbeConfig {
            source: source.map(Into::into),
            device: device.map(str::to_owned),
            probes: 1,
            ..config()
        };
        let good = probe(&hosts.a, config(Some([9, 0, 0, 5]), Some("eth0")), vec![B]).await;
        assert_eq!(good[0].1.received, 1);
        // Through the loopback nobody is reached who is not here.
        let lost = probe(&hosts.a, config(None, Some("lo")), vec![B]).await;
        assert_eq!((lost[0].1.sent, lost[0].1.received), (1, 0));
        let open = async |config: ProbeConfig| {
            hosts.a.run(move || async move { Prober::open(config).map(|_| ()).unwrap_err() }).await
        };
        let error = open(config(Some([9, 9, 9, 9]), None)).await;
        assert!(matches!(error, ProbeError::Source { .. }), "{error:?}");
        let error = open(config(None, Some("nowhere0"))).await;
        assert_eq!(error.to_string(), "cannot bind to interface nowhere0: No such device (os error 19)");
    });
}

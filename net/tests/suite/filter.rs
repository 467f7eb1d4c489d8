//! The packet filter: what passes, what is dropped and counted, and what a change leaves alone.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::Duration;

use dz_net::filter::{Changes, Dropped, Filter, IngressPolicy};
use dz_net::membership::Membership;
use dz_net::sandbox;
use dz_net::wire::udp;
use dz_testing::eventually;
use socket2::{Domain, Protocol, Socket, Type};

use crate::hosts::Hosts;

fn policy(interface: &str, sources: &[&str], groups: &[&str]) -> IngressPolicy {
    IngressPolicy {
        interface: interface.to_owned(),
        sources: sources.iter().map(|net| net.parse().unwrap()).collect(),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
    }
}

fn names(names: &[&str]) -> std::collections::BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn policies_are_read_back_and_applied_once() {
    sandbox::run(|| {
        let mut filter = Filter::open().unwrap();
        assert_eq!(filter.policies().unwrap(), BTreeMap::new());
        let first = policy("tun500", &["45.33.100.2/32", "169.254.0.0/31"], &["233.84.178.1", "233.84.178.2"]);
        let second = policy("tun501", &["45.33.100.3/32"], &[]);
        let nothing = policy("tun502", &[], &[]);
        let all = [first.clone(), second.clone(), nothing.clone()];
        let changes = filter.apply(all.clone()).unwrap();
        assert_eq!(changes, Changes { set: names(&["tun500", "tun501", "tun502"]), removed: names(&[]) });
        let expected: BTreeMap<_, _> = all.iter().map(|policy| (policy.interface.clone(), policy.clone())).collect();
        assert_eq!(filter.policies().unwrap(), expected);

        // Another process finds the same, and has nothing to change.
        let mut other = Filter::open().unwrap();
        assert!(other.apply(all).unwrap().is_empty());
        let moved = policy("tun501", &["45.33.100.9/32"], &["233.84.178.1"]);
        let changes = other.apply([first.clone(), moved.clone()]).unwrap();
        assert_eq!(changes, Changes { set: names(&["tun501"]), removed: names(&["tun502"]) });
        let expected = BTreeMap::from([("tun500".to_owned(), first), ("tun501".to_owned(), moved)]);
        assert_eq!(filter.policies().unwrap(), expected);
        let changes = filter.apply([]).unwrap();
        assert_eq!(changes, Changes { set: names(&[]), removed: names(&["tun500", "tun501"]) });
        assert_eq!(filter.policies().unwrap(), BTreeMap::new());
    });
}

#[test]
fn a_device_full_of_tunnels_has_its_policies() {
    sandbox::run(|| {
        let mut filter = Filter::open().unwrap();
        let groups: Vec<_> = (1..20).map(|last| format!("233.84.178.{last}")).collect();
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        let all: Vec<_> = (500..700).map(|id| policy(&format!("tun{id}"), &["45.33.100.2/32"], &groups)).collect();
        assert_eq!(filter.apply(all.clone()).unwrap().set.len(), 200);
        assert!(filter.apply(all.clone()).unwrap().is_empty());
        assert_eq!(filter.policies().unwrap().into_values().collect::<Vec<_>>(), all);
        assert_eq!(filter.apply([]).unwrap().removed.len(), 200);
    });
}

#[test]
fn a_name_that_would_be_cut_is_refused_and_nothing_changes() {
    sandbox::run(|| {
        let mut filter = Filter::open().unwrap();
        let good = policy("tun500", &["45.33.100.2/32"], &[]);
        let _ = filter.apply([good.clone()]).unwrap();
        let error = filter.apply([policy("tunnel-with-a-long-name", &[], &[])]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "packet filter: expected an interface name of 1 to 15 bytes without ` `, `:` and `/`, got \
             `tunnel-with-a-long-name`"
        );
        assert_eq!(filter.policies().unwrap(), BTreeMap::from([("tun500".to_owned(), good)]));
    });
}

#[test]
fn only_what_a_policy_allows_comes_in_and_the_rest_is_counted() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        let mut filter = Filter::open_in(&hosts.b.ns).unwrap();
        let wanted = policy("eth0", &["9.0.0.1/32"], &["233.84.178.1"]);
        let _ = filter.apply([wanted.clone()]).unwrap();
        let index = hosts.b.netlink.link_index("eth0").await.unwrap();
        let (_joined, receiver) = hosts
            .b
            .ns
            .run(|| {
                let joined =
                    ["233.84.178.1", "233.84.178.2"].map(|g| Membership::join(g.parse().unwrap(), index).unwrap());
                (joined, UdpSocket::bind("0.0.0.0:7000").unwrap())
            })
            .unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let raw = hosts
            .a
            .ns
            .run(|| {
                let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).unwrap();
                socket.bind_device(Some(b"eth0")).unwrap();
                socket
            })
            .unwrap();
        let send = |from: &str, to: &str, payload: &str| {
            let to: std::net::SocketAddrV4 = format!("{to}:7000").parse().unwrap();
            let packet = udp::packet(format!("{from}:7000").parse().unwrap(), to, payload.as_bytes()).unwrap();
            raw.send_to(&packet, &std::net::SocketAddr::from(to).into()).unwrap();
        };
        send("9.0.0.7", "9.0.0.2", "another's source");
        send("9.0.0.7", "233.84.178.1", "another's source to a group");
        send("9.0.0.1", "233.84.178.2", "a group that is not allowed");
        send("9.0.0.1", "9.0.0.2", "unicast");
        send("9.0.0.1", "233.84.178.1", "group");
        let receive = || {
            let mut buffer = [0; 100];
            let (length, _) = receiver.recv_from(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!((receive(), receive()), ("unicast".to_owned(), "group".to_owned()));
        let expected = BTreeMap::from([("eth0".to_owned(), Dropped { source: 2, group: 1 })]);
        assert_eq!(filter.dropped().unwrap(), expected);

        // What does not change keeps counting.
        let _ = filter.apply([wanted, policy("tun1", &[], &[])]).unwrap();
        send("9.0.0.7", "9.0.0.2", "another's source");
        eventually("counters", async || match filter.dropped().unwrap()["eth0"] {
            Dropped { source: 3, group: 1 } => Ok(()),
            other => Err(other),
        })
        .await;
    });
}

//! Multicast forwarding by a real kernel: one router between a sender and two receivers.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use dz_net::gre::HelperCommand;
use dz_net::gre::userspace::Userspace;
use dz_net::kernel::{AddrInfo, Change, LinkKind, LinkSpec, Netlink, Watch};
use dz_net::membership::{Membership, MembershipError};
use dz_net::mroute::{Changes, MulticastError, MulticastRoute, MulticastRouter, UpcallKind};
use dz_net::sandbox;
use dz_testing::eventually;

use crate::hosts::Host;

const GROUP: Ipv4Addr = Ipv4Addr::new(233, 84, 178, 1);
const SENDER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// A router with a veth to each of three hosts: 10.0.N.1 here and 10.0.N.2 there.
struct Star {
    router: Host,
    hosts: Vec<Host>,
    /// Indices of the router's links.
    links: Vec<u32>,
}

impl Star {
    async fn new() -> Self {
        let router = Host::new().await;
        let mut star = Self { router, hosts: Vec::new(), links: Vec::new() };
        for number in 0..3 {
            let host = Host::new().await;
            let name = format!("to{number}");
            let kind = LinkKind::Veth { peer: "eth0".to_owned() };
            let _ = star.router.netlink.add_link(&LinkSpec { name: name.clone(), kind, mtu: None }).await.unwrap();
            let peer = star.router.netlink.link_index("eth0").await.unwrap();
            star.router.netlink.move_link(peer, &host.ns).await.unwrap();
            for (netlink, link) in [(&star.router.netlink, name.as_str()), (&host.netlink, "eth0")] {
                netlink.set_link_up(netlink.link_index(link).await.unwrap(), true).await.unwrap();
            }
            star.router.add_address(&name, &format!("10.0.{number}.1/24")).await;
            host.add_address("eth0", &format!("10.0.{number}.2/24")).await;
            for (netlink, link) in [(&star.router.netlink, name.as_str()), (&host.netlink, "eth0")] {
                eventually("carrier", async || match netlink.link(link).await.unwrap() {
                    Some(link) if link.running => Ok(()),
                    other => Err(other),
                })
                .await;
            }
            star.links.push(star.router.netlink.link_index(&name).await.unwrap());
            star.hosts.push(host);
        }
        star
    }

    fn route(&self, outgoing: &[usize]) -> MulticastRoute {
        let outgoing = outgoing.iter().map(|number| self.links[*number]).collect();
        MulticastRoute { source: SENDER, group: GROUP, incoming: self.links[0], outgoing }
    }

    /// A socket of host `number` that sends to groups with TTL 8, and receives the group.
    async fn socket(&self, number: usize) -> (UdpSocket, Membership) {
        let host = &self.hosts[number];
        let index = host.netlink.link_index("eth0").await.unwrap();
        let socket = host
            .ns
            .run(move || {
                let membership = Membership::join(GROUP, index).unwrap();
                let socket = UdpSocket::bind("0.0.0.0:7000").unwrap();
                socket.set_multicast_ttl_v4(8).unwrap();
                (socket, membership)
            })
            .unwrap();
        let address = Ipv4Addr::new(10, 0, number as u8, 2);
        socket2::SockRef::from(&socket.0).set_multicast_if_v4(&address).unwrap();
        socket.0.set_multicast_loop_v4(false).unwrap();
        socket.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }
}

fn receive(socket: &UdpSocket) -> String {
    let mut buffer = [0; 100];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(from.ip(), SENDER);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn packets_are_replicated_to_whom_the_entry_names() {
    sandbox::run_async(|| async {
        let star = Star::new().await;
        let sockets = [star.socket(0).await, star.socket(1).await, star.socket(2).await];
        let send = |text: &str| sockets[0].0.send_to(text.as_bytes(), (GROUP, 7000)).unwrap();
        let mut router = MulticastRouter::open_in(&star.router.ns).unwrap();
        assert_eq!(router.routes().unwrap(), []);

        let both = star.route(&[1, 2]);
        assert_eq!(router.apply([both.clone()]).unwrap(), Changes { set: 1, removed: 0, interfaces: 3 });
        assert!(router.apply([both.clone()]).unwrap().is_empty());
        send("both");
        assert_eq!((receive(&sockets[1].0), receive(&sockets[2].0)), ("both".to_owned(), "both".to_owned()));

        // The writer goes, and the next one finds all as it was.
        drop(router);
        let mut router = MulticastRouter::open_in(&star.router.ns).unwrap();
        assert!(router.apply([both.clone()]).unwrap().is_empty());
        let routes = router.routes().unwrap();
        assert_eq!(routes.len(), 1);
        assert_eq!((routes[0].0.clone(), routes[0].1.packets, routes[0].1.wrong_interface), (both, 1, 0));

        // One leaves: the next packet it sees is not the one sent meanwhile.
        let one = star.route(&[2]);
        assert_eq!(router.apply([one.clone()]).unwrap(), Changes { set: 1, removed: 0, interfaces: 1 });
        send("one");
        assert_eq!(receive(&sockets[2].0), "one");
        assert_eq!(router.apply([star.route(&[1, 2])]).unwrap(), Changes { set: 1, removed: 0, interfaces: 1 });
        send("both again");
        assert_eq!(receive(&sockets[1].0), "both again");

        assert_eq!(router.apply([]).unwrap(), Changes { set: 0, removed: 1, interfaces: 3 });
        assert_eq!(router.routes().unwrap(), []);
    });
}

#[test]
fn forwarding_goes_on_without_its_writer_while_the_helper_holds_it() {
    sandbox::run_async(|| async {
        let star = Star::new().await;
        let sockets = [star.socket(0).await, star.socket(1).await];
        let hold = async |hold: bool| {
            star.router
                .run(move || async move {
                    let helper = HelperCommand::new(env!("CARGO_BIN_EXE_dz-gre-helper"), [] as [&str; 0]);
                    Userspace::open(helper).unwrap().hold_multicast(hold).await
                })
                .await
        };
        hold(true).await.unwrap();
        hold(true).await.unwrap();
        let mut router = MulticastRouter::open_in(&star.router.ns).unwrap();
        let _ = router.apply([star.route(&[1])]).unwrap();
        let taken = router.upcalls().map(|_| ()).unwrap_err();
        assert_eq!(taken.to_string(), "multicast routing: another socket receives the upcalls");
        drop(router);
        sockets[0].0.send_to(b"on", (GROUP, 7000)).unwrap();
        assert_eq!(receive(&sockets[1].0), "on");

        // Let go by the helper, it is the next router's, and the entries are still there.
        hold(false).await.unwrap();
        let mut router = MulticastRouter::open_in(&star.router.ns).unwrap();
        assert!(router.apply([star.route(&[1])]).unwrap().is_empty());
        let refused = hold(true).await.unwrap_err();
        assert_eq!(refused.to_string(), "tunnel multicast: Address already in use (os error 98)");
    });
}

/// What a reader does must not be what its own watch reports.
#[test]
fn the_kernel_announces_who_starts_and_stops_forwarding_and_nothing_of_reading() {
    sandbox::run_async(|| async {
        let soon = Duration::from_secs(10);
        let mut watch = Watch::open_router().unwrap();
        let mut router = MulticastRouter::attach().unwrap();
        assert!(!router.holds());
        assert_eq!(router.routes().unwrap(), []);
        assert!(router.apply([]).unwrap().is_empty());
        // Waits are in order: had one of those been announced, it would come before what is changed here.
        let netlink = Netlink::open().unwrap();
        let _ = netlink.add_addr(&AddrInfo::new(1, "10.9.9.9/32".parse().unwrap())).await.unwrap();
        let first = tokio::time::timeout(soon, watch.changed()).await.expect("an announcement of the address").unwrap();
        assert!(!first.contains(&Change::Parameter), "{first:?}");

        let parameter = async |watch: &mut Watch| while !watch.changed().await.unwrap().contains(&Change::Parameter) {};
        router.start().unwrap();
        assert!(router.holds());
        tokio::time::timeout(soon, parameter(&mut watch)).await.expect("an announcement of the start");
        router.start().unwrap();
        assert!(router.holds());
        router.stop();
        assert!(!router.holds());
        tokio::time::timeout(soon, parameter(&mut watch)).await.expect("an announcement of the stop");
    });
}

#[test]
fn an_interface_that_is_deleted_leaves_its_entries() {
    sandbox::run_async(|| async {
        let star = Star::new().await;
        let mut router = MulticastRouter::open_in(&star.router.ns).unwrap();
        let _ = router.apply([star.route(&[1, 2])]).unwrap();
        star.router.netlink.delete_link(star.links[1]).await.unwrap();
        let expected = star.route(&[2]);
        assert_eq!(router.routes().unwrap()[0].0, expected);
        let _ = router.apply([expected.clone()]).unwrap();
        assert_eq!(router.routes().unwrap()[0].0, expected);
        star.router.netlink.delete_link(star.links[0]).await.unwrap();
        assert_eq!(router.routes().unwrap(), []);
        let _ = router.apply([]).unwrap();
    });
}

#[test]
fn what_is_not_forwarded_is_reported() {
    sandbox::run_async(|| async {
        let star = Star::new().await;
        // An entry for one sender makes its link take part; the other sender has none.
        let of_another = MulticastRoute { source: Ipv4Addr::new(10, 0, 0, 9), ..star.route(&[1, 2]) };
        let (sender, _membership) = star.socket(0).await;
        let (wrong, _membership) = star.socket(1).await;
        let upcalls = star.router.ns.spawn("upcalls", || async {
            let mut router = MulticastRouter::open().unwrap();
            let _ = router.apply([of_another]).unwrap();
            let upcalls = router.upcalls().unwrap();
            let taken = router.upcalls().map(|_| ()).unwrap_err();
            assert!(matches!(taken, MulticastError::Taken), "{taken:?}");
            let mut seen = BTreeSet::new();
            while seen.len() < 2 {
                let upcall = upcalls.next().await.unwrap();
                seen.insert((upcall.kind, upcall.source, upcall.group));
            }
            // A packet that waits for an entry is no entry that could be deleted.
            let _ = router.apply([]).unwrap();
            seen
        });
        let upcalls = upcalls.unwrap();
        let other = Ipv4Addr::new(10, 0, 1, 2);
        let expected = BTreeSet::from([(UpcallKind::NoEntry, SENDER, GROUP), (UpcallKind::NoEntry, other, GROUP)]);
        eventually("upcalls", async || {
            sender.send_to(b"x", (GROUP, 7000)).unwrap();
            wrong.send_to(b"x", (GROUP, 7000)).unwrap();
            if upcalls.is_finished() { Ok(()) } else { Err(()) }
        })
        .await;
        assert_eq!(upcalls.join().unwrap(), expected);
    });
}

#[test]
fn a_group_that_is_none_and_a_link_that_is_not_there_are_refused() {
    sandbox::run(|| {
        let error = Membership::join(Ipv4Addr::new(10, 0, 0, 1), 1).unwrap_err();
        assert!(matches!(error, MembershipError::NotAGroup(_)), "{error:?}");
        let error = Membership::join(GROUP, 77).unwrap_err();
        assert_eq!(error.to_string(), "group 233.84.178.1 on link 77: cannot join: No such device (os error 19)");
    });
}

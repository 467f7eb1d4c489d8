//! Nodes: what they have, and what happens to them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use dz_net::kernel::{Netlink, RTPROT_STATIC};
use dz_testing::{DEADLINE, eventually_blocking};
use dzsim_lab::{Host, Lab, LabError, NodeError, NodeKind, NodeSpec, PortName, PortSpec};

use crate::support::{host, in_lab, node, on};

async fn addresses(lab: &Lab, name: &str) -> Vec<String> {
    let netlink = Netlink::open_in(&lab.node(&node(name)).unwrap().netns()).unwrap();
    let mut found = Vec::new();
    for link in netlink.links().await.unwrap() {
        found.push(format!("{} {}", link.name, if link.up { "up" } else { "down" }));
        for addr in netlink.addrs().await.unwrap().into_iter().filter(|a| a.index == link.index) {
            found.push(addr.address.to_string());
        }
    }
    // A kernel with tunnels built in puts one of each kind into every namespace.
    found.retain(|line| !["tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6"].iter().any(|n| line.starts_with(n)));
    found
}

async fn defaults(lab: &Lab, name: &str) -> Vec<(Option<Ipv4Addr>, u8)> {
    let netlink = Netlink::open_in(&lab.node(&node(name)).unwrap().netns()).unwrap();
    let routes = netlink.routes().await.unwrap();
    routes.into_iter().filter(|r| r.destination.prefix_len() == 0).map(|r| (r.source, r.protocol)).collect()
}

fn read(fd: &OwnedFd) -> Result<Vec<u8>, std::io::Error> {
    let mut file = std::fs::File::from(fd.try_clone().unwrap());
    let mut packet = vec![0; 2000];
    let n = file.read(&mut packet)?;
    packet.truncate(n);
    Ok(packet)
}

#[test]
fn a_node_has_its_uplink_and_nothing_else() {
    in_lab(|lab| async move {
        let made = lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        assert_eq!(made[0].name, node("val1"));
        assert_eq!(made[0].ports.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["eth0"]);
        assert_eq!(addresses(&lab, "val1").await, ["lo up", "127.0.0.1/8", "eth0 up", "198.51.100.1/32"]);
        assert_eq!(defaults(&lab, "val1").await, [(Some(Ipv4Addr::new(198, 51, 100, 1)), RTPROT_STATIC)]);
    });
}

#[test]
fn what_a_node_sends_comes_out_of_its_uplink() {
    in_lab(|lab| async move {
        let made = lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let netns = lab.node(&node("val1")).unwrap().netns();
        netns
            .run(|| std::net::UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"hello", "203.0.113.9:7").unwrap())
            .unwrap();
        // The first and only packet: nothing speaks unasked.
        let packet = read(&made[0].ports[0].1).unwrap();
        assert_eq!(packet.len(), 20 + 8 + 5);
        assert_eq!(packet[12..20], [198, 51, 100, 1, 203, 0, 113, 9]);
        assert_eq!(read(&made[0].ports[0].1).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn only_a_router_forwards() {
    in_lab(|lab| async move {
        let router = NodeSpec { kind: NodeKind::Router, ..host("nyc1", [198, 51, 100, 2]) };
        let _made = lab.add_nodes(vec![host("val1", [198, 51, 100, 1]), router]).await.unwrap();
        let script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/eth0/rp_filter";
        let mut outputs = Vec::new();
        for name in ["val1", "nyc1"] {
            outputs.push(lab.run_to_end(on(name, "cat", script), DEADLINE).await.unwrap().stdout);
        }
        assert_eq!(outputs, ["0\n0\n", "1\n0\n"]);
    });
}

#[test]
fn a_name_twice_is_refused_and_changes_nothing() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let again = vec![host("val2", [198, 51, 100, 2]), host("val1", [198, 51, 100, 3])];
        let error = lab.add_nodes(again).await.unwrap_err();
        assert_eq!(error.to_string(), "node val1 is in the lab already");
        let twice = vec![host("val2", [198, 51, 100, 2]), host("val2", [198, 51, 100, 3])];
        let error = lab.add_nodes(twice).await.unwrap_err();
        assert_eq!(error.to_string(), "node val2 is in the lab already");
        assert_eq!(lab.names(), [node("val1")]);
        assert_eq!(lab.node(&node("val2")).unwrap_err().to_string(), "no node val2 in the lab");
    });
}

#[test]
fn a_server_outside_answers_inside() {
    in_lab(|lab| async move {
        let address: SocketAddr = "127.0.0.1:8899".parse().unwrap();
        let mut specs = vec![host("val1", [198, 51, 100, 1]), host("val2", [198, 51, 100, 2])];
        specs[0].listen.push(address);
        let mut made = lab.add_nodes(specs).await.unwrap();
        // The same address in two nodes, one from the start, one later.
        let listeners = [made[0].listeners.remove(0), lab.listen(&Host::Node(node("val2")), address).await.unwrap()];
        for (name, listener) in ["val1", "val2"].into_iter().zip(listeners) {
            let netns = lab.node(&node(name)).unwrap().netns();
            let asking = netns.spawn("ask", move || async move {
                let mut answer = String::new();
                TcpStream::connect(address).unwrap().read_to_string(&mut answer).unwrap();
                answer
            });
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = stream.into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            stream.write_all(name.as_bytes()).unwrap();
            drop(stream);
            assert_eq!(asking.unwrap().output().await.unwrap(), name);
        }
        let error = lab.listen(&Host::Node(node("val1")), "192.0.2.1:1".parse().unwrap()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "node val1: cannot listen on 192.0.2.1:1: Cannot assign requested address (os error 99)"
        );
    });
}

#[test]
fn a_link_joins_two_ports() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("nyc1", [198, 51, 100, 1]), host("pit1", [198, 51, 100, 2])]).await.unwrap();
        let (nyc, pit) = (node("nyc1"), node("pit1"));
        let port = |address: &str| PortSpec {
            addresses: vec![address.parse().unwrap()],
            mtu: 9000,
            ..PortSpec::new("Ethernet1").unwrap()
        };
        let (a, b) = lab.add_link((&nyc, port("172.16.0.0/31")), (&pit, port("172.16.0.1/31"))).await.unwrap();
        let netns = lab.node(&nyc).unwrap().netns();
        netns.run(|| std::net::UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", "172.16.0.1:7").unwrap()).unwrap();
        assert_eq!(read(&a).unwrap()[16..20], [172, 16, 0, 1]);
        assert_eq!(read(&b).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        let error = lab.add_port(&nyc, port("172.16.0.2/31")).await.unwrap_err();
        assert_eq!(error.to_string(), "node nyc1: has a port Ethernet1 already");
    });
}

#[test]
fn a_port_that_cannot_be_had_leaves_its_name_free() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let val1 = node("val1");
        let port = PortSpec::new("Ethernet1").unwrap();
        // No TUN device takes that much.
        let error = lab.add_port(&val1, PortSpec { mtu: 100_000, ..port.clone() }).await.unwrap_err();
        assert!(error.to_string().starts_with("node val1: port Ethernet1: "), "{error}");
        lab.add_port(&val1, port).await.unwrap();
    });
}

#[test]
fn a_port_goes_down_and_comes_back_with_its_route() {
    in_lab(|lab| async move {
        let _made = lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let (val1, eth0) = (node("val1"), PortName::uplink());
        lab.set_port(&val1, &eth0, false).await.unwrap();
        assert_eq!(addresses(&lab, "val1").await, ["lo up", "127.0.0.1/8", "eth0 down", "198.51.100.1/32"]);
        assert_eq!(defaults(&lab, "val1").await, []);
        lab.set_port(&val1, &eth0, true).await.unwrap();
        assert_eq!(addresses(&lab, "val1").await, ["lo up", "127.0.0.1/8", "eth0 up", "198.51.100.1/32"]);
        assert_eq!(defaults(&lab, "val1").await, [(Some(Ipv4Addr::new(198, 51, 100, 1)), RTPROT_STATIC)]);
        let error = lab.set_port(&val1, &PortName::new("eth7").unwrap(), true).await.unwrap_err();
        assert!(matches!(&error, LabError::Node(_, NodeError::NoPort(port)) if port.as_str() == "eth7"), "{error}");
    });
}

#[test]
fn killing_a_node_kills_what_its_daemons_left_behind() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1]), host("val2", [198, 51, 100, 2])]).await.unwrap();
        let script = "setsid sh -c 'echo $$ > $HOME/orphan; exec sleep 1000' & exec sleep 1000";
        let first = lab.start(on("val1", "daemon", script)).await.unwrap();
        let other = lab.start(on("val2", "daemon", script)).await.unwrap();
        let orphan = wait_for_pid("/run/dz/val1/orphan");
        let spared = wait_for_pid("/run/dz/val2/orphan");
        lab.kill_node(&node("val1")).await.unwrap();
        assert_eq!(first.exit().map(|e| e.to_string()).as_deref(), Some("SIGKILL"));
        let alive = |pid: i32| crate::support::parent(pid).is_some();
        eventually_blocking("the orphan lives", || if alive(orphan) { Err(orphan) } else { Ok(()) });
        assert_eq!(other.exit(), None);
        assert!(alive(spared));
    });
}

fn wait_for_pid(path: &str) -> i32 {
    let mut pid = 0;
    eventually_blocking(path, || {
        pid = std::fs::read_to_string(path).unwrap_or_default().trim().parse().unwrap_or(0);
        if pid > 0 { Ok(()) } else { Err("no pid") }
    });
    pid
}

#[test]
fn a_frozen_node_goes_on_where_it_was() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let daemon = lab.start(on("val1", "daemon", "while :; do :; done")).await.unwrap();
        let state = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
            stat.rsplit_once(") ").unwrap().1[..1].to_owned()
        };
        lab.freeze_node(&node("val1")).await.unwrap();
        eventually_blocking("not frozen", || if state() == "T" { Ok(()) } else { Err(state()) });
        lab.thaw_node(&node("val1")).await.unwrap();
        eventually_blocking("not thawed", || if state() == "R" { Ok(()) } else { Err(state()) });
        daemon.kill().await;
    });
}

#[test]
fn a_node_that_starts_processes_all_the_time_is_frozen_as_a_whole() {
    in_lab(|lab| async move {
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let netns = lab.node(&node("val1")).unwrap().netns().id().unwrap();
        for number in 0..4 {
            let role = format!("daemon{number}");
            lab.start(on("val1", &role, "while :; do sleep 1000 & done")).await.unwrap();
        }
        let members = || {
            let all = crate::support::processes().into_iter();
            all.filter(|pid| crate::support::netns_of(*pid) == Some(netns)).collect::<Vec<_>>()
        };
        eventually_blocking("few processes", || if members().len() > 50 { Ok(()) } else { Err(members().len()) });
        lab.freeze_node(&node("val1")).await.unwrap();
        let frozen = members();
        let state = |pid: &i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1[..1].to_owned()
        };
        for pid in &frozen {
            assert_eq!(state(pid), "T");
        }
        assert_eq!(members(), frozen);
        lab.kill_node(&node("val1")).await.unwrap();
        assert_eq!(members(), Vec::<i32>::new());
    });
}

#[test]
fn a_node_whose_processes_wait_for_their_children_is_frozen_too() {
    in_lab(|lab| async move {
        let val1 = node("val1");
        lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        for number in 0..4 {
            let role = format!("daemon{number}");
            // A shell that waits in vfork(2) stops only after its child has gone on.
            lab.start(on("val1", &role, "while :; do env true; done")).await.unwrap();
        }
        for _ in 0..50 {
            lab.freeze_node(&val1).await.unwrap();
            lab.thaw_node(&val1).await.unwrap();
        }
        lab.kill_node(&val1).await.unwrap();
    });
}

#[test]
fn a_reboot_loses_all_but_the_cables() {
    in_lab(|lab| async move {
        let made = lab.add_nodes(vec![host("val1", [198, 51, 100, 1])]).await.unwrap();
        let val1 = node("val1");
        let _far_end = lab.add_port(&val1, PortSpec::new("Ethernet1").unwrap()).await.unwrap();
        lab.set_port(&val1, &PortName::new("Ethernet1").unwrap(), false).await.unwrap();
        let before = lab.node(&val1).unwrap().netns();
        let daemon = lab.start(on("val1", "daemon", "touch $HOME/file; exec sleep 1000")).await.unwrap();
        before.run(|| std::net::UdpSocket::bind("127.0.0.1:5000").map(drop).unwrap()).unwrap();
        lab.reboot_node(&val1).await.unwrap();
        let after = lab.node(&val1).unwrap().netns();
        assert_ne!(before.id().unwrap(), after.id().unwrap());
        assert_eq!(daemon.exited().await.to_string(), "SIGKILL");
        assert!(!std::path::Path::new("/run/dz/val1/file").exists());
        let mut links = addresses(&lab, "val1").await;
        links.sort();
        assert_eq!(links, ["127.0.0.1/8", "198.51.100.1/32", "Ethernet1 down", "eth0 up", "lo up"]);
        // The fabric's end is the one it had.
        after.run(|| std::net::UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", "203.0.113.9:7").unwrap()).unwrap();
        eventually_blocking("no packet", || read(&made[0].ports[0].1).map(drop));
        lab.restart(&daemon).await.unwrap().kill().await;
    });
}

#[test]
fn a_hundred_nodes_are_told_apart() {
    in_lab(|lab| async move {
        let specs = (0..100).map(|n| host(&format!("n{n}"), [198, 51, 100, n])).collect();
        let made = lab.add_nodes(specs).await.unwrap();
        assert_eq!(lab.names().len(), 100);
        for n in [0, 57, 99] {
            assert_eq!(made[n].name, node(&format!("n{n}")));
            let finished =
                lab.run_to_end(on(&format!("n{n}"), "cat", "cat /proc/net/fib_trie"), Duration::from_secs(10));
            assert!(finished.await.unwrap().stdout.contains(&format!("198.51.100.{n}\n")));
        }
    });
}

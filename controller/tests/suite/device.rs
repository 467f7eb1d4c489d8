//! The agent on a machine that others change too, and through restarts of everything around it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::Duration;

use dz_net::{
    filter::Filter,
    kernel::{AddrInfo, LinkKind, LinkSpec, RTPROT_STATIC, RouteInfo, RouteKind, RuleAction, RuleInfo, Scope, sysctl},
    mroute::MulticastRouter,
    sandbox,
    wire::{icmp, ipv4},
};
use dz_sdk::program::{
    pda,
    state::{DeviceStatus, InterfaceKind, LinkStatus},
};
use dz_testing::eventually;

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    view_builder::{Chain, Kind, NewUser, PROGRAM, ip},
    wire::{Controller, Host, Internet, agent, cable, client_tunnel},
};

/// Everything in a kernel that a config can change, without counters and times.
async fn everything(host: &Host) -> Vec<String> {
    let links = host.netlink.links().await.unwrap();
    let mut all: Vec<String> = links
        .iter()
        .map(|link| format!("{} {} {:?} {:?} {}", link.index, link.name, link.kind, link.alias, link.up))
        .collect();
    all.extend(host.netlink.addrs().await.unwrap().iter().map(|address| format!("{address:?}")));
    all.extend(host.netlink.routes().await.unwrap().iter().map(|route| format!("{route:?}")));
    all.extend(host.netlink.rules().await.unwrap().iter().map(|rule| format!("{rule:?}")));
    all
}

/// nyc1 with an own and an allocated user, its machine, and what that is connected to.
async fn device() -> (Chain, Host, Internet) {
    let mut chain = Chain::new();
    chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
    let kind = Kind::Own { tenant: None };
    chain.user(NewUser { client: "9.1.0.1", device: "nyc1", endpoint: 0, id: 500, kind });
    let kind = Kind::Allocated { tenant: None, dz_ip: "45.33.100.3" };
    chain.user(NewUser { client: "9.1.0.2", device: "nyc1", endpoint: 1, id: 501, kind });
    let mut internet = Internet::new().await;
    let host = internet.host(&["9.0.0.1", "45.33.100.1", "45.33.100.2"]).await;
    (chain, host, internet)
}

#[test]
fn what_someone_changes_by_hand_is_repaired_and_what_is_theirs_stays() {
    sandbox::run_async(async || {
        let (chain, host, _internet) = device().await;
        let netlink = host.netlink.clone();
        // What another has made before: each in the neighbourhood of something of the agent's.
        let bridge = LinkSpec { name: "Loopback150".to_owned(), kind: LinkKind::Bridge, mtu: None };
        let _ = netlink.add_link(&bridge).await.unwrap();
        host.address("Loopback150", "10.9.9.9/32", Scope::Global).await;
        host.address("eth0", "10.9.9.8/32", Scope::Global).await;
        host.route("10.1.0.0/16", "eth0", None).await;
        let foreign_route = RouteInfo {
            table: 1001,
            protocol: RTPROT_STATIC,
            dev: Some(host.index("eth0").await),
            ..RouteInfo::unicast("10.2.0.0/16".parse().unwrap())
        };
        let _ = netlink.add_route(&foreign_route).await.unwrap();
        let foreign_rule = RuleInfo { protocol: RTPROT_STATIC, ..RuleInfo::lookup(2000, 1001) };
        let _ = netlink.add_rule(&foreign_rule).await.unwrap();
        let before = everything(&host).await;

        let controller = Controller::start(chain.view(), &[&host]);
        let _agent = agent(&host, chain.key("nyc1"));
        controller.settled(chain.view().slot()).await;
        let good = everything(&host).await;
        for theirs in &before {
            assert!(good.contains(theirs), "the agent took {theirs}");
        }

        let repaired = async |what: &str| {
            eventually(what, async || {
                let now = everything(&host).await;
                if now == good { Ok(()) } else { Err(now) }
            })
            .await;
        };
        let index = host.index("tun500").await;
        netlink.set_link_up(index, false).await.unwrap();
        repaired("a tunnel that was set down").await;
        let overlay = AddrInfo::new(index, "169.254.0.0/31".parse().unwrap());
        netlink.delete_addr(&overlay).await.unwrap();
        repaired("an overlay address that was removed").await;
        let endpoint = AddrInfo::new(host.index("Loopback101").await, "45.33.100.2/32".parse().unwrap());
        netlink.delete_addr(&endpoint).await.unwrap();
        repaired("an endpoint address that was removed").await;
        let refuse =
            RuleInfo { iif: Some("tun500".to_owned()), action: RuleAction::Unreachable, ..RuleInfo::lookup(2002, 0) };
        netlink.delete_rule(&refuse).await.unwrap();
        repaired("a rule that was removed").await;
        let elsewhere = RouteInfo {
            table: 1001,
            dev: Some(host.index("eth0").await),
            protocol: RTPROT_STATIC,
            ..RouteInfo::unicast("9.1.0.1/32".parse().unwrap())
        };
        netlink.replace_route(&elsewhere).await.unwrap();
        repaired("a route that was led elsewhere").await;
        let blackhole = RouteInfo { kind: RouteKind::Blackhole, dev: None, ..elsewhere };
        netlink.replace_route(&blackhole).await.unwrap();
        repaired("a route that was led nowhere").await;
        for (path, wrong, right) in [("net/ipv4/ip_forward", "0", "1"), ("net/ipv4/conf/all/rp_filter", "1", "0")] {
            host.ns.run(|| sysctl::write(path, wrong)).unwrap().unwrap();
            eventually("a parameter that was changed", async || match host.ns.run(|| sysctl::read(path)).unwrap() {
                Ok(value) if value == right => Ok(()),
                other => Err(other),
            })
            .await;
        }

        // What is gone comes back under another number.
        let names = |all: Vec<String>| -> Vec<String> {
            let without_number =
                |line: String| line.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>().join(" ");
            all.into_iter().filter(|line| line.starts_with(char::is_numeric)).map(without_number).collect()
        };
        for name in ["tun501", "Loopback100"] {
            netlink.delete_link(host.index(name).await).await.unwrap();
            eventually("an interface that was removed", async || {
                let mut now = names(everything(&host).await);
                let mut good = names(good.clone());
                now.sort();
                good.sort();
                if now == good { Ok(()) } else { Err(now) }
            })
            .await;
        }
        controller.settled(chain.view().slot()).await;
    });
}

/// What a device is, by names instead of the kernel's numbers.
async fn described(host: &Host) -> Vec<String> {
    let links = host.netlink.links().await.unwrap();
    let names: BTreeMap<u32, String> = links.iter().map(|link| (link.index, link.name.clone())).collect();
    let mut all: Vec<String> =
        links.iter().map(|link| format!("{} {:?} {:?} {}", link.name, link.kind, link.alias, link.up)).collect();
    for address in host.netlink.addrs().await.unwrap() {
        all.push(format!("{} {:?}", names[&address.index], AddrInfo { index: 0, ..address }));
    }
    for route in host.netlink.routes().await.unwrap() {
        all.push(format!("{:?} {:?}", route.dev.map(|dev| &names[&dev]), RouteInfo { dev: None, ..route }));
    }
    all.extend(host.netlink.rules().await.unwrap().iter().map(|rule| format!("{rule:?}")));
    let policies = Filter::open_in(&host.ns).unwrap().policies().unwrap();
    all.extend(policies.values().map(|policy| format!("{policy:?}")));
    for (route, _) in MulticastRouter::open_in(&host.ns).unwrap().routes().unwrap() {
        let to: BTreeSet<&String> = route.outgoing.iter().map(|index| &names[index]).collect();
        all.push(format!("{} {} {} {to:?}", route.source, route.group, names[&route.incoming]));
    }
    all.sort();
    all
}

/// A machine for nyc1, whose two links end at a host that answers, and what else it is connected to.
async fn machine_with_links() -> (Host, (Host, Internet)) {
    let mut internet = Internet::new().await;
    let host = internet.host(&["9.0.0.1", "45.33.100.1", "45.33.100.2"]).await;
    let far = Host::new().await;
    for (port, address) in [("Ethernet1", "172.16.0.1/31"), ("Ethernet2", "172.16.0.3/31")] {
        cable((&host, port), (&far, port)).await;
        far.address(port, address, Scope::Global).await;
    }
    (host, (far, internet))
}

/// One change of the network.
type Step = fn(&mut Chain);

fn user<'a>(client: &'a str, endpoint: usize, id: u16, kind: Kind<'a>) -> NewUser<'a> {
    NewUser { client, device: "nyc1", endpoint, id, kind }
}

#[test]
fn whatever_a_device_went_through_it_ends_as_one_that_knows_only_the_last_config() {
    sandbox::run_async(async || {
        let mut chain = Chain::new();
        let key = chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
        chain.device("pit1", "9.0.0.2", &["45.33.100.9"]);
        chain.tenant("acme", Some(2));
        chain.group("mg01");
        chain.link("first", ("nyc1", "Ethernet1"), ("pit1", "Ethernet1"), 10);
        chain.link("second", ("nyc1", "Ethernet2"), ("pit1", "Ethernet2"), 20);
        let (tried, _connected) = machine_with_links().await;
        let controller = Controller::start(chain.view(), &[&tried]);
        let _agent = agent(&tried, key);
        controller.settled_of("nyc1", chain.view().slot()).await;

        let publish = Kind::Multicast { publish: &["mg01"], subscribe: &["mg01"] };
        let steps: [Step; 7] = [
            |chain| {
                chain.user(user("9.1.0.1", 0, 500, Kind::Own { tenant: None }));
                chain.user(user("9.1.0.2", 0, 501, Kind::Own { tenant: Some("acme") }));
            },
            |chain| {
                let kind = Kind::Own { tenant: Some("acme") };
                chain.user(NewUser { client: "9.1.0.3", device: "pit1", endpoint: 0, id: 500, kind });
            },
            |chain| chain.set_link("first", LinkStatus::SoftDrained),
            // The id and the overlay of one that goes are another's at once, with other addresses.
            |chain| {
                chain.remove(pda::user(&PROGRAM, ip("9.1.0.1"), ip("45.33.100.1")).0);
                chain.user(user("9.1.0.4", 1, 500, Kind::Allocated { tenant: None, dz_ip: "45.33.100.3" }));
            },
            |chain| chain.set_device("nyc1", DeviceStatus::Drained),
            |chain| chain.set_device("nyc1", DeviceStatus::Activated),
            |chain| {
                chain.interface("nyc1", "Loopback105", InterfaceKind::Loopback, Some("45.33.100.6"), true);
                chain.remove(pda::interface(&PROGRAM, &chain.key("nyc1"), "Loopback101").0);
                chain.remove(pda::user(&PROGRAM, ip("9.1.0.4"), ip("45.33.100.2")).0);
            },
        ];
        for step in steps {
            step(&mut chain);
            controller.show(chain.view());
            controller.settled_of("nyc1", chain.view().slot()).await;
        }
        chain.user(user("9.1.0.5", 1, 503, publish));
        let kind = Kind::Multicast { publish: &[], subscribe: &["mg01"] };
        chain.user(user("9.1.0.6", 1, 504, kind));
        controller.show(chain.view());
        controller.settled_of("nyc1", chain.view().slot()).await;

        let (fresh, _connected) = machine_with_links().await;
        let fresh_controller = Controller::start(chain.view(), &[&fresh]);
        let _fresh_agent = agent(&fresh, key);
        fresh_controller.settled_of("nyc1", chain.view().slot()).await;
        let (tried, fresh) = (described(&tried).await, described(&fresh).await);
        assert_eq!(tried, fresh);
        assert!(tried.iter().any(|line| line.starts_with("148.51.120.0 233.84.178.0 tun503 ")), "{tried:#?}");
    });
}

/// The live controller renders 128 slots, and who comes after them has a seat and no tunnel.
#[test]
fn each_of_more_than_128_users_has_a_tunnel_up_to_the_last_id() {
    sandbox::run_async(async || {
        let (mut chain, host, _internet) = device().await;
        let ids: BTreeSet<u16> = (500..650).chain([4595]).collect();
        for id in ids.iter().skip(2) {
            let client = format!("9.1.{}.{}", id / 256, id % 256);
            chain.user(user(&client, usize::from(id % 2), *id, Kind::Own { tenant: None }));
        }
        let controller = Controller::start(chain.view(), &[&host]);
        let _agent = agent(&host, chain.key("nyc1"));
        controller.settled(chain.view().slot()).await;
        let links = host.netlink.links().await.unwrap();
        let up = links.iter().filter(|link| link.up).filter_map(|link| link.name.strip_prefix("tun")?.parse().ok());
        assert_eq!(up.collect::<BTreeSet<u16>>(), ids);
    });
}

#[test]
fn a_restarted_agent_adopts_what_there_is() {
    sandbox::run_async(async || {
        let (mut chain, host, _internet) = device().await;
        let controller = Controller::start(chain.view(), &[&host]);
        let first = agent(&host, chain.key("nyc1"));
        controller.settled(chain.view().slot()).await;
        let good = everything(&host).await;
        first.kill();
        assert_eq!(everything(&host).await, good);

        // A device whose controller knows of a report does not show that it came again, so the controller restarts too.
        controller.stop().await;
        let controller = Controller::start(chain.view(), &[&host]);
        let second = agent(&host, chain.key("nyc1"));
        controller.settled(chain.view().slot()).await;
        assert_eq!(everything(&host).await, good);

        // What changed while nobody looked is made up for.
        second.kill();
        chain.remove(pda::user(&PROGRAM, ip("9.1.0.1"), ip("45.33.100.1")).0);
        chain.interface("nyc1", "Loopback102", InterfaceKind::Loopback, Some("45.33.100.4"), true);
        controller.show(chain.view());
        let _third = agent(&host, chain.key("nyc1"));
        controller.settled(chain.view().slot()).await;
        assert_eq!(host.netlink.link("tun500").await.unwrap(), None);
        assert!(host.netlink.link("Loopback102").await.unwrap().is_some());
        let still = good.iter().filter(|line| line.contains("tun501") || line.contains("Loopback10"));
        let now = everything(&host).await;
        still.for_each(|line| assert!(now.contains(line), "{line} is gone"));
    });
}

#[test]
fn an_endpoint_that_leaves_the_chain_leaves_the_device() {
    sandbox::run_async(async || {
        let mut chain = Chain::new();
        let key = chain.device("nyc1", "9.0.0.1", &["45.33.100.1", "45.33.100.2"]);
        let mut internet = Internet::new().await;
        let host = internet.host(&["9.0.0.1", "45.33.100.1", "45.33.100.2"]).await;
        let controller = Controller::start(chain.view(), &[&host]);
        let _agent = agent(&host, key);
        controller.settled(chain.view().slot()).await;
        let kept = host.index("Loopback100").await;

        chain.remove(pda::interface(&PROGRAM, &key, "Loopback101").0);
        controller.show(chain.view());
        controller.settled(chain.view().slot()).await;
        assert_eq!(host.netlink.link("Loopback101").await.unwrap(), None);
        assert_eq!(host.index("Loopback100").await, kept);
    });
}

#[test]
fn without_a_controller_the_device_is_kept_up() {
    sandbox::run_async(async || {
        let (mut chain, host, _internet) = device().await;
        let controller = Controller::start(chain.view(), &[&host]);
        let _agent = agent(&host, chain.key("nyc1"));
        controller.settled(chain.view().slot()).await;
        controller.stop().await;

        host.netlink.set_link_up(host.index("tun500").await, false).await.unwrap();
        eventually("repaired without a controller", async || {
            let link = host.netlink.link("tun500").await.unwrap();
            if link.as_ref().is_some_and(|link| link.up) { Ok(()) } else { Err(link) }
        })
        .await;

        // One that comes back has forgotten all and hears it again, and what changed meanwhile is fetched.
        let kind = Kind::Own { tenant: None };
        chain.user(NewUser { client: "9.1.0.3", device: "nyc1", endpoint: 0, id: 502, kind });
        let controller = Controller::start(chain.view(), &[&host]);
        controller.settled(chain.view().slot()).await;
        assert!(host.netlink.link("tun502").await.unwrap().is_some());
    });
}

#[test]
fn a_port_that_is_not_there_is_reported_and_everything_else_works() {
    sandbox::run_async(async || {
        let (mut chain, host, _internet) = device().await;
        chain.interface("nyc1", "Ethernet7", InterfaceKind::Physical, Some("9.0.0.7"), true);
        let controller = Controller::start(chain.view(), &[&host]);
        let _agent = agent(&host, chain.key("nyc1"));
        let report = eventually("a report with the failure", async || {
            let answer = controller.devices().await?;
            answer.devices[0].report.clone().filter(|report| !report.failures.is_empty()).ok_or("no failure".to_owned())
        })
        .await;
        assert_eq!(report.failures, ["port Ethernet7 of interface Ethernet7 is not there"]);
        assert!(host.netlink.link("tun501").await.unwrap().is_some());

        // The port is made, and nobody has to say so.
        let port =
            LinkSpec { name: "Ethernet7".to_owned(), kind: LinkKind::Veth { peer: "far7".to_owned() }, mtu: None };
        let _ = host.netlink.add_link(&port).await.unwrap();
        controller.settled(chain.view().slot()).await;
        let index = host.index("Ethernet7").await;
        let addresses = host.netlink.addrs().await.unwrap();
        assert!(addresses.contains(&AddrInfo::new(index, "9.0.0.7/32".parse().unwrap())), "{addresses:?}");
    });
}

/// A user may send to its own address, which leads back into the tunnel it came by: it gets no ICMP redirects.
#[test]
fn what_goes_back_where_it_came_from_is_answered_with_no_redirect() {
    sandbox::run_async(async || {
        let (chain, host, mut internet) = device().await;
        let client = internet.host(&["9.1.0.2"]).await;
        let controller = Controller::start(chain.view(), &[&host]);
        let _agent = agent(&host, chain.key("nyc1"));
        controller.settled(chain.view().slot()).await;
        let overlay = "169.254.0.2/31".parse().unwrap();
        client_tunnel(&client, "doublezero0", ip("45.33.100.2"), ip("9.1.0.2"), overlay).await;
        client.route("45.33.100.3/32", "doublezero0", None).await;

        // What comes out of the tunnel is for an address that the client does not have, so it is listened to below that.
        let listener = client
            .ns
            .run(|| {
                let kind = Protocol::from(i32::from((nix::libc::ETH_P_IP as u16).to_be()));
                Socket::new(Domain::PACKET, Type::DGRAM, Some(kind)).unwrap()
            })
            .unwrap();
        listener.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // With one hop left the packet is answered, which ends the wait.
        let raw = client
            .ns
            .run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(nix::libc::IPPROTO_RAW))).unwrap());
        let raw = raw.unwrap();
        let to = std::net::SocketAddrV4::new(ip("45.33.100.3"), 0);
        for ttl in [64, 1] {
            let packet = ipv4::packet(*to.ip(), *to.ip(), 253, &[0; 8]).unwrap();
            let header = ipv4::Header { ttl, ..ipv4::Header::decode(&packet).unwrap() };
            let packet = [&header.encode()[..], &packet[20..]].concat();
            raw.send_to(&packet, &std::net::SocketAddr::from(to).into()).unwrap();
        }
        let mut kinds = Vec::new();
        while kinds.last() != Some(&icmp::TIME_EXCEEDED) {
            let mut buffer = [0; 1500];
            let length = Read::read(&mut &listener, &mut buffer).unwrap();
            let header = ipv4::Header::decode(&buffer[..length]).unwrap();
            if header.protocol == icmp::IP_PROTOCOL {
                kinds.push(buffer[header.header_length]);
            }
        }
        assert_eq!(kinds, [icmp::TIME_EXCEEDED]);
    });
}

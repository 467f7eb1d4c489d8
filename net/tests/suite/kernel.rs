//! Links, addresses, routes and rules as the kernel takes and gives them back.

use std::net::Ipv4Addr;

use dz_net::kernel::{
    Added, AddrInfo, Deleted, FwMark, LinkKind, LinkSpec, Netlink, NetlinkError, RTPROT_DZ, RTPROT_STATIC, RouteChange,
    RouteInfo, RouteKind, RuleAction, RuleInfo, Scope, sysctl,
};
use dz_net::netns::NetNs;
use dz_net::sandbox;
use ipnet::Ipv4Net;

pub(crate) fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn spec(name: &str, kind: LinkKind) -> LinkSpec {
    LinkSpec { name: name.to_owned(), kind, mtu: None }
}

/// A bridge that is up, to hold addresses and routes.
pub(crate) async fn stub(netlink: &Netlink, name: &str) -> u32 {
    assert_eq!(netlink.add_link(&spec(name, LinkKind::Bridge)).await.unwrap(), Added::Created);
    let index = netlink.link_index(name).await.unwrap();
    netlink.set_link_up(index, true).await.unwrap();
    index
}

async fn names(netlink: &Netlink) -> Vec<String> {
    netlink.links().await.unwrap().into_iter().map(|link| link.name).collect()
}

#[test]
fn links_are_added_changed_and_deleted() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        // The loopback, and what the modules of a kernel put into each namespace.
        let before = names(&netlink).await;
        assert_eq!(before[0], "lo");
        let bridge = LinkSpec { mtu: Some(9000), ..spec("br0", LinkKind::Bridge) };
        assert_eq!(netlink.add_link(&bridge).await.unwrap(), Added::Created);
        assert_eq!(netlink.add_link(&bridge).await.unwrap(), Added::Existed);
        let link = netlink.link("br0").await.unwrap().unwrap();
        assert_eq!((link.kind.as_deref(), link.mtu, link.up), (Some("bridge"), 9000, false));

        netlink.set_link_up(link.index, true).await.unwrap();
        netlink.set_link_mtu(link.index, 1476).await.unwrap();
        netlink.set_link_alias(link.index, "a text").await.unwrap();
        let link = netlink.link("br0").await.unwrap().unwrap();
        assert_eq!((link.up, link.mtu, link.alias.as_deref()), (true, 1476, Some("a text")));
        netlink.set_link_up(link.index, false).await.unwrap();
        netlink.rename_link(link.index, "br1").await.unwrap();
        assert_eq!(netlink.link("br0").await.unwrap(), None);
        assert_eq!(netlink.link_index("br1").await.unwrap(), link.index);

        assert_eq!(netlink.delete_link(link.index).await.unwrap(), Deleted::Deleted);
        assert_eq!(netlink.delete_link(link.index).await.unwrap(), Deleted::Absent);
        assert_eq!(names(&netlink).await, before);
    });
}

#[test]
fn a_change_of_what_is_not_there_names_it() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        let error = netlink.set_link_mtu(77, 1500).await.unwrap_err();
        assert!(matches!(error, NetlinkError::NotFound { .. }));
        assert_eq!(error.to_string(), "link 77: set mtu: not found");
        let error = netlink.link_index("nowhere0").await.unwrap_err();
        assert_eq!(error.to_string(), "link nowhere0: not found");
    });
}

#[test]
fn a_veth_pair_reaches_into_another_namespace() {
    sandbox::run_async(|| async {
        let ns = NetNs::new().unwrap();
        let (here, there) = (Netlink::open().unwrap(), Netlink::open_in(&ns).unwrap());
        let pair = spec("a0", LinkKind::Veth { peer: "b0".to_owned() });
        assert_eq!(here.add_link(&pair).await.unwrap(), Added::Created);
        here.move_link(here.link_index("b0").await.unwrap(), &ns).await.unwrap();
        assert_eq!(here.link("b0").await.unwrap(), None);
        let link = there.link("b0").await.unwrap().expect("the peer moved");
        assert_eq!(link.kind.as_deref(), Some("veth"));
        drop((ns, there));
    });
}

#[test]
fn a_loopback_interface_exists_on_every_kernel() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        assert_eq!(netlink.add_link(&spec("Loopback100", LinkKind::Loopback)).await.unwrap(), Added::Created);
        assert_eq!(netlink.add_link(&spec("Loopback100", LinkKind::Loopback)).await.unwrap(), Added::Existed);
        let link = netlink.link("Loopback100").await.unwrap().unwrap();
        assert!(matches!(link.kind.as_deref(), Some("dummy" | "bridge")), "{link:?}");
        netlink.set_link_up(link.index, true).await.unwrap();
        let address = AddrInfo::new(link.index, net("45.33.100.1/32"));
        assert_eq!(netlink.add_addr(&address).await.unwrap(), Added::Created);
        std::net::UdpSocket::bind("45.33.100.1:53").expect("its address is local");
    });
}

#[test]
fn addresses_keep_their_scope_and_owner() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        let index = stub(&netlink, "br0").await;
        let global = AddrInfo::new(index, net("10.1.0.1/24"));
        let overlay = AddrInfo::new(index, net("169.254.0.1/31")).scoped(Scope::Link);
        let pointed = AddrInfo { peer: Some([10, 2, 0, 2].into()), ..AddrInfo::new(index, net("10.2.0.1/32")) };
        for addr in [&global, &overlay, &pointed] {
            assert_eq!(netlink.add_addr(addr).await.unwrap(), Added::Created);
            assert_eq!(netlink.add_addr(addr).await.unwrap(), Added::Existed);
        }
        let mut expected = vec![global.clone(), overlay, pointed];
        expected.sort();
        let ours =
            |addrs: Vec<AddrInfo>| addrs.into_iter().filter(|addr| addr.protocol == RTPROT_DZ).collect::<Vec<_>>();
        assert_eq!(ours(netlink.addrs().await.unwrap()), expected);

        assert_eq!(netlink.delete_addr(&global).await.unwrap(), Deleted::Deleted);
        assert_eq!(netlink.delete_addr(&global).await.unwrap(), Deleted::Absent);
        expected.retain(|addr| *addr != global);
        assert_eq!(ours(netlink.addrs().await.unwrap()), expected);
    });
}

#[test]
fn routes_are_read_back_as_they_were_written() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        let index = stub(&netlink, "br0").await;
        let _ = netlink.add_addr(&AddrInfo::new(index, net("10.1.0.1/24"))).await.unwrap();
        let via = RouteInfo {
            via: Some([10, 1, 0, 254].into()),
            dev: Some(index),
            source: Some([10, 1, 0, 1].into()),
            mtu: Some(1400),
            metric: 20,
            ..RouteInfo::unicast(net("0.0.0.0/0"))
        };
        let tenant = RouteInfo { table: 100_001, dev: Some(index), ..RouteInfo::unicast(net("198.18.0.0/15")) };
        let nowhere = RouteInfo {
            kind: RouteKind::Unreachable,
            table: 77,
            metric: 4_278_198_272,
            ..RouteInfo::unicast(net("0.0.0.0/0"))
        };
        let foreign =
            RouteInfo { protocol: RTPROT_STATIC, dev: Some(index), ..RouteInfo::unicast(net("203.0.113.0/24")) };
        for route in [&via, &tenant, &nowhere, &foreign] {
            assert_eq!(netlink.add_route(route).await.unwrap(), Added::Created, "{route:?}");
            assert_eq!(netlink.add_route(route).await.unwrap(), Added::Existed, "{route:?}");
        }
        let ours = |routes: Vec<RouteInfo>| {
            routes
                .into_iter()
                .filter(|route| route.protocol == RTPROT_DZ)
                // The kernel reports an unreachable route as one through the loopback of some kernels.
                .map(
                    |route| if route.kind == RouteKind::Unreachable { RouteInfo { dev: None, ..route } } else { route },
                )
                .collect::<Vec<_>>()
        };
        let mut expected = vec![via.clone(), tenant.clone(), nowhere];
        expected.sort();
        assert_eq!(ours(netlink.routes().await.unwrap()), expected);

        let other = RouteInfo { mtu: None, ..via.clone() };
        netlink.replace_route(&other).await.unwrap();
        assert_eq!(netlink.delete_route(&tenant).await.unwrap(), Deleted::Deleted);
        assert_eq!(netlink.delete_route(&tenant).await.unwrap(), Deleted::Absent);
        expected.retain(|route| *route != tenant && *route != via);
        expected.push(other);
        expected.sort();
        assert_eq!(ours(netlink.routes().await.unwrap()), expected);
        assert!(netlink.routes().await.unwrap().contains(&foreign));
    });
}

#[test]
fn rules_are_read_back_as_they_were_written() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        let kernels = netlink.rules().await.unwrap();
        let rules = [
            RuleInfo { iif: Some("tun500".to_owned()), ..RuleInfo::lookup(1000, 100_001) },
            RuleInfo {
                from: Some(net("10.1.0.1/32")),
                to: Some(net("10.0.0.0/8")),
                fwmark: Some(FwMark { value: 0x10, mask: 0xf0 }),
                ..RuleInfo::lookup(1001, 77)
            },
            RuleInfo { fwmark: Some(FwMark::exactly(7)), action: RuleAction::Prohibit, ..RuleInfo::lookup(1002, 0) },
            RuleInfo { iif: Some("lo".to_owned()), action: RuleAction::Blackhole, ..RuleInfo::lookup(1003, 0) },
        ];
        for rule in &rules {
            assert_eq!(netlink.add_rule(rule).await.unwrap(), Added::Created, "{rule:?}");
            assert_eq!(netlink.add_rule(rule).await.unwrap(), Added::Existed, "{rule:?}");
        }
        let listed = netlink.rules().await.unwrap();
        let ours: Vec<_> = listed.into_iter().filter(|rule| rule.protocol == RTPROT_DZ).collect();
        assert_eq!(ours, rules);
        for rule in &rules {
            assert_eq!(netlink.delete_rule(rule).await.unwrap(), Deleted::Deleted, "{rule:?}");
            assert_eq!(netlink.delete_rule(rule).await.unwrap(), Deleted::Absent, "{rule:?}");
        }
        assert_eq!(netlink.rules().await.unwrap(), kernels);
    });
}

#[test]
fn parameters_are_those_of_the_namespace() {
    sandbox::run(|| {
        let ns = NetNs::new().unwrap();
        ns.run(|| sysctl::write("net/ipv4/ip_forward", "1").unwrap()).unwrap();
        assert_eq!(ns.run(|| sysctl::read("net/ipv4/ip_forward").unwrap()).unwrap(), "1");
        assert_eq!(sysctl::read("net/ipv4/ip_forward").unwrap(), "0");
        let error = sysctl::read("net/ipv4/no_such").unwrap_err();
        assert_eq!(error.to_string(), "sysctl net/ipv4/no_such: No such file or directory (os error 2)");
    });
}

#[test]
fn many_routes_change_with_one_request() {
    sandbox::run_async(|| async {
        let netlink = Netlink::open().unwrap();
        let index = stub(&netlink, "br0").await;
        let before = netlink.routes().await.unwrap();
        let route = |number: u16| {
            let [high, low] = number.to_be_bytes();
            RouteInfo { dev: Some(index), ..RouteInfo::unicast(Ipv4Net::from(Ipv4Addr::new(10, 1, high, low))) }
        };
        let ours = async || -> Vec<RouteInfo> {
            netlink.routes().await.unwrap().into_iter().filter(|route| !before.contains(route)).collect()
        };
        // More than go into one.
        let all: Vec<_> = (0..300).map(route).collect();
        netlink.change_routes(&all.iter().cloned().map(RouteChange::Replace).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(ours().await, all);
        // One that is not there is no error, wherever it stands.
        let gone = [route(1000), route(0), route(1001), route(1), route(1002)].map(RouteChange::Delete);
        netlink.change_routes(&gone).await.unwrap();
        assert_eq!(ours().await, all[2..]);
        // What is refused is named, and the rest of the request is answered for, so that the next one is not confused.
        let nowhere = RouteInfo { dev: Some(9999), ..route(500) };
        let changes = [route(0), nowhere, route(1)].map(RouteChange::Replace);
        let error = netlink.change_routes(&changes).await.unwrap_err().to_string();
        assert_eq!(error, "route to 10.1.1.244/32 in table 254: replace: not found");
        assert_eq!(netlink.delete_route(&route(0)).await.unwrap(), Deleted::Deleted);
        netlink.change_routes(&[]).await.unwrap();
        assert_eq!(ours().await, all[1..]);
    });
}

//! Notices of changes to a namespace, by a socket of its own and by one for many.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use dz_net::filter::Filter;
use dz_net::gre::{Dataplane, HelperCommand};
use dz_net::host::{Host, KernelHost, TunnelMaker, Watched};
use dz_net::kernel::{
    AddrInfo, Change, Deleted, Netlink, RouteChange, RouteInfo, RuleInfo, SharedWatch, Watch, sysctl,
};
use dz_net::netns::NetNs;
use dz_net::sandbox;
use ipnet::Ipv4Net;

use crate::kernel::{net, stub};

#[test]
fn changes_of_others_are_noticed() {
    sandbox::run_async(|| async {
        let ns = NetNs::new().unwrap();
        let (netlink, mut watch) = (Netlink::open_in(&ns).unwrap(), Watch::open_in(&ns).unwrap());
        let mut seen = BTreeSet::new();
        let index = stub(&netlink, "br0").await;
        let _ = netlink.add_addr(&AddrInfo::new(index, net("10.1.0.1/24"))).await.unwrap();
        let _ = netlink.add_rule(&RuleInfo::lookup(1000, 77)).await.unwrap();
        while seen.len() < 4 {
            seen.extend(watch.changed().await.unwrap());
        }
        assert_eq!(seen, BTreeSet::from([Change::Link, Change::Address, Change::Route, Change::Rule]));
        netlink.delete_link(index).await.unwrap();
        while !watch.changed().await.unwrap().contains(&Change::Link) {}
    });
}

#[test]
fn a_watch_apart_from_a_connection_reports_the_routes_of_others() {
    sandbox::run_async(|| async {
        let (own, other) = (Netlink::open().unwrap(), Netlink::open().unwrap());
        let index = stub(&own, "br0").await;
        own.set_link_up(index, true).await.unwrap();
        let [first, second] =
            ["10.1.0.0/24", "10.2.0.0/24"].map(|to| RouteInfo { dev: Some(index), ..RouteInfo::unicast(net(to)) });
        let mut watch = Watch::open().unwrap().apart_from(&own);
        own.replace_route(&first).await.unwrap();
        assert_eq!(own.delete_route(&first).await.unwrap(), Deleted::Deleted);
        // What the kernel adds for an address is asked for by nobody, and addresses are always reported.
        assert_eq!(watch.since().unwrap(), BTreeSet::new());
        let _ = own.add_addr(&AddrInfo::new(index, net("10.3.0.1/24"))).await.unwrap();
        assert_eq!(watch.since().unwrap(), BTreeSet::from([Change::Address, Change::Route]));
        other.replace_route(&second).await.unwrap();
        assert_eq!(watch.since().unwrap(), BTreeSet::from([Change::Route]));
        assert_eq!(other.delete_route(&second).await.unwrap(), Deleted::Deleted);
        assert_eq!(watch.since().unwrap(), BTreeSet::from([Change::Route]));
    });
}

#[test]
fn a_router_is_notified_of_its_parameters_and_filter_too() {
    sandbox::run_async(|| async {
        let mut watch = Watch::open_router().unwrap();
        sysctl::write("net/ipv4/ip_forward", "1").unwrap();
        while !watch.changed().await.unwrap().contains(&Change::Parameter) {}
        Filter::open().unwrap();
        while !watch.changed().await.unwrap().contains(&Change::Filter) {}
        let netlink = Netlink::open().unwrap();
        stub(&netlink, "br0").await;
        while !watch.changed().await.unwrap().contains(&Change::Link) {}
    });
}

#[test]
fn one_socket_watches_many_namespaces_each_for_itself() {
    sandbox::run_async(|| async {
        let [first, second] = [(); 2].map(|()| NetNs::new().unwrap());
        let watches = SharedWatch::open().unwrap();
        let netlink = Netlink::open_in(&first).unwrap();
        let index = stub(&netlink, "br0").await;
        // A watch reports what happens after it was opened.
        let (one, other, again) = (
            watches.namespace(&first).unwrap().watch().unwrap(),
            watches.namespace(&second).unwrap().watch().unwrap(),
            watches.namespace(&first).unwrap().watch().unwrap(),
        );
        assert_eq!(one.since().unwrap(), BTreeSet::new());
        let _ = netlink.add_addr(&AddrInfo::new(index, net("10.1.0.1/24"))).await.unwrap();
        let _ = netlink.add_rule(&RuleInfo::lookup(1000, 77)).await.unwrap();
        let changes = BTreeSet::from([Change::Address, Change::Route, Change::Rule]);
        assert_eq!(one.changed().await.unwrap(), changes);
        assert_eq!(one.since().unwrap(), BTreeSet::new());
        assert_eq!(other.since().unwrap(), BTreeSet::new());
        // Two watches of one namespace take nothing from one another.
        assert_eq!(again.since().unwrap(), changes);
        drop((one, again));
        // Who waits is woken, and a namespace that was watched before can be watched again.
        let one = watches.namespace(&first).unwrap().watch().unwrap();
        let (changed, deleted) = tokio::join!(one.changed(), netlink.delete_link(index));
        assert!(changed.unwrap().contains(&Change::Link));
        assert_eq!(deleted.unwrap(), Deleted::Deleted);
        assert_eq!(other.since().unwrap(), BTreeSet::new());
    });
}

#[test]
fn a_shared_watch_that_was_overrun_says_that_all_has_changed() {
    sandbox::run_async(|| async {
        let [busy, idle] = [(); 2].map(|()| NetNs::new().unwrap());
        let watches = SharedWatch::open().unwrap();
        let (one, other) =
            (watches.namespace(&busy).unwrap().watch().unwrap(), watches.namespace(&idle).unwrap().watch().unwrap());
        let netlink = Netlink::open_in(&busy).unwrap();
        let index = stub(&netlink, "br0").await;
        netlink.set_link_up(index, true).await.unwrap();
        // More than a socket holds (net.core.rmem_default).
        for number in 0..2000_u16 {
            let [high, low] = number.to_be_bytes();
            let to = Ipv4Net::from(Ipv4Addr::new(10, 1, high, low));
            netlink.replace_route(&RouteInfo { dev: Some(index), ..RouteInfo::unicast(to) }).await.unwrap();
        }
        // Nobody knows whose changes were lost.
        let all = BTreeSet::from([Change::Link, Change::Address, Change::Route, Change::Rule, Change::Parameter]);
        assert_eq!(other.since().unwrap(), all);
        assert_eq!(one.since().unwrap(), all);
        assert_eq!(other.since().unwrap(), BTreeSet::new());
    });
}

#[test]
fn hosts_that_share_a_watch_hear_of_the_routes_of_others_alone() {
    sandbox::run_async(|| async {
        let ns = NetNs::new().unwrap();
        let watches = SharedWatch::open_without_own().unwrap();
        let helper = HelperCommand::new("/none", [] as [&str; 0]);
        let maker = || TunnelMaker { dataplane: Dataplane::Userspace, helper: helper.clone() };
        let [host, successor] = [(); 2].map(|()| KernelHost::open_among(ns.clone(), &watches, maker()).unwrap());
        let other = Netlink::open_in(&ns).unwrap();
        let index = stub(&other, "br0").await;
        other.set_link_up(index, true).await.unwrap();
        let route = |to| RouteInfo { dev: Some(index), ..RouteInfo::unicast(net(to)) };
        // The second has another port, as the first one's is taken; its own routes are no news to it all the same.
        for own in [&host, &successor] {
            let mut watch = own.watch(Watched::EndHost).await.unwrap();
            let everybody = watches.namespace(&ns).unwrap().watch().unwrap();
            own.replace_route(&route("10.1.0.0/24")).await.unwrap();
            assert_eq!(everybody.since().unwrap(), BTreeSet::from([Change::Route]));
            assert_eq!(own.delete_route(&route("10.1.0.0/24")).await.unwrap(), Deleted::Deleted);
            assert_eq!(watch.since().unwrap(), BTreeSet::new());
            other.replace_route(&route("10.2.0.0/24")).await.unwrap();
            assert_eq!(watch.since().unwrap(), BTreeSet::from([Change::Route]));
            assert_eq!(other.delete_route(&route("10.2.0.0/24")).await.unwrap(), Deleted::Deleted);
            assert_eq!(watch.since().unwrap(), BTreeSet::from([Change::Route]));
            own.set_link_mtu(index, 1400).await.unwrap();
            assert_eq!(watch.since().unwrap(), BTreeSet::from([Change::Link]));
            own.set_link_mtu(index, 1500).await.unwrap();
        }
        // What its watchers make themselves does not fill the socket: nothing else was lost.
        let everybody = watches.namespace(&ns).unwrap().watch().unwrap();
        let many = (0..2000_u16).map(|number| {
            let [high, low] = number.to_be_bytes();
            let to = Ipv4Net::from(Ipv4Addr::new(10, 4, high, low));
            RouteChange::Replace(RouteInfo { dev: Some(index), ..RouteInfo::unicast(to) })
        });
        host.change_routes(&many.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(everybody.since().unwrap(), BTreeSet::from([Change::Route]));
    });
}

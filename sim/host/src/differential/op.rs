//! Operations on both hosts. Names and addresses come from small pools, so that changes meet each other.

use std::net::Ipv4Addr;

use dz_net::kernel::{RouteKind, Scope};
use ipnet::Ipv4Net;
use proptest::prelude::*;
use proptest::sample::select;

use super::addresses::{destination, host};
use super::packet::{PacketSpec, packet};

/// One change, question or packet. Interfaces are named, as their numbers differ.
#[derive(Clone, Debug)]
pub(super) enum Op {
    AddLink {
        name: &'static str,
        loopback: bool,
        mtu: Option<u32>,
    },
    DeleteLink {
        name: &'static str,
    },
    SetUp {
        name: &'static str,
        up: bool,
    },
    SetMtu {
        name: &'static str,
        mtu: u32,
    },
    SetAlias {
        name: &'static str,
        alias: &'static str,
    },
    AddAddress(Address),
    DeleteAddress(Address),
    AddRoute(Route),
    ReplaceRoute(Route),
    DeleteRoute(Route),
    AddRule(Rule),
    DeleteRule(Rule),
    CreateTunnel {
        name: &'static str,
        local: Ipv4Addr,
        remote: Ipv4Addr,
        ttl: u8,
        mtu: u32,
    },
    DeleteTunnel {
        name: &'static str,
    },
    SetIngress(Vec<(&'static str, Vec<Ipv4Net>, Vec<Ipv4Addr>)>),
    SetGroups(Vec<Group>),
    Forward(bool),
    SetSysctl {
        path: String,
        value: &'static str,
    },
    Source(Ipv4Addr),
    /// Opens a socket that stays, and hears what the packets below have for it.
    Listen {
        device: Option<&'static str>,
        at: Ipv4Addr,
        join: Option<Ipv4Addr>,
    },
    Join {
        link: &'static str,
        group: Ipv4Addr,
    },
    Receive {
        port: usize,
        packet: PacketSpec,
        fragments: bool,
    },
    Send {
        device: Option<&'static str>,
        packet: PacketSpec,
    },
    SendUdp {
        device: Option<&'static str>,
        from: Option<Ipv4Addr>,
        to: Ipv4Addr,
        size: usize,
    },
    Ping {
        device: Option<&'static str>,
        from: Option<Ipv4Addr>,
        to: Ipv4Addr,
        size: u16,
        dont_fragment: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) link: &'static str,
    pub(super) net: Ipv4Net,
    pub(super) peer: Option<Ipv4Addr>,
    pub(super) scope: Scope,
}

#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) table: u32,
    pub(super) destination: Ipv4Net,
    pub(super) metric: u32,
    pub(super) kind: RouteKind,
    pub(super) via: Option<Ipv4Addr>,
    pub(super) dev: Option<&'static str>,
    pub(super) source: Option<Ipv4Addr>,
    pub(super) mtu: Option<u32>,
    pub(super) protocol: u8,
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) priority: u32,
    pub(super) iif: Option<&'static str>,
    pub(super) from: Option<Ipv4Net>,
    pub(super) to: Option<Ipv4Net>,
    /// None refuses.
    pub(super) table: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) source: Ipv4Addr,
    pub(super) group: Ipv4Addr,
    pub(super) from: &'static str,
    pub(super) to: Vec<&'static str>,
}

/// The ports that both hosts have from the start.
pub(super) const PORTS: [&str; 2] = ["p0", "p1"];
/// Every interface there may be, and one that there never is.
const LINKS: [&str; 8] = ["p0", "p1", "p0", "p1", "lo", "b0", "t0", "none"];
const TUNNELS: [&str; 2] = ["t0", "t1"];

fn net() -> impl Strategy<Value = Ipv4Net> {
    (host(), select(vec![32u8, 31, 24, 24, 25, 8, 0]))
        .prop_map(|(address, length)| Ipv4Net::new_assert(address, length))
}

fn link() -> impl Strategy<Value = &'static str> + Clone {
    select(LINKS.to_vec())
}

fn address() -> impl Strategy<Value = Address> {
    let lengths = select(vec![32u8, 31, 30, 24, 24, 25]);
    let scope = select(vec![Scope::Global, Scope::Global, Scope::Link, Scope::Host]);
    (link(), host(), lengths, prop::option::weighted(0.15, host()), scope).prop_map(
        |(link, local, length, peer, scope)| Address { link, net: Ipv4Net::new_assert(local, length), peer, scope },
    )
}

fn route() -> impl Strategy<Value = Route> {
    let kinds = vec![
        RouteKind::Unicast,
        RouteKind::Unicast,
        RouteKind::Unicast,
        RouteKind::Unicast,
        RouteKind::Local,
        RouteKind::Broadcast,
        RouteKind::Blackhole,
        RouteKind::Unreachable,
        RouteKind::Prohibit,
        RouteKind::Throw,
    ];
    let way = (prop::option::weighted(0.4, host()), prop::option::weighted(0.8, link()), select(kinds));
    let rest =
        (prop::option::weighted(0.3, host()), prop::option::weighted(0.1, Just(1300)), select(vec![210u8, 210, 4]));
    (select(vec![254u32, 254, 100]), net(), select(vec![0u32, 0, 10]), way, rest).prop_map(
        |(table, destination, metric, (via, dev, kind), (source, mtu, protocol))| {
            // What leads nowhere is rarely given a way.
            let refuses = !matches!(kind, RouteKind::Unicast | RouteKind::Local | RouteKind::Broadcast);
            let (via, dev) = if refuses && metric == 0 { (None, None) } else { (via, dev) };
            Route { table, destination, metric, kind, via, dev, source, mtu, protocol }
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let iif = prop::option::of(select(vec!["p0", "p1", "lo", "t0", "none"]));
    let table = prop::option::weighted(0.8, select(vec![100u32, 254, 7]));
    let narrow = || prop::option::weighted(0.3, net());
    (select(vec![5u32, 6, 1000]), iif, narrow(), narrow(), table).prop_map(|(priority, iif, from, to, table)| Rule {
        priority,
        iif,
        from,
        to,
        table,
    })
}

fn group() -> impl Strategy<Value = Group> {
    let address = |pool: [&'static str; 2]| select(pool.to_vec()).prop_map(|text| text.parse().unwrap());
    let to = prop::collection::btree_set(select(vec!["p0", "p1", "t0", "b0"]), 0..3);
    (address(["9.9.9.9", "10.0.0.2"]), address(["233.84.178.1", "233.84.178.2"]), select(PORTS.to_vec()), to)
        .prop_map(|(source, group, from, to)| Group { source, group, from, to: to.into_iter().collect() })
}

fn sysctl() -> impl Strategy<Value = (String, &'static str)> {
    let names = select(vec!["all", "default", "p0", "p1", "b0"]);
    let conf = (names, select(vec!["forwarding", "rp_filter", "accept_local"]))
        .prop_map(|(name, parameter)| format!("net/ipv4/conf/{name}/{parameter}"));
    let forward =
        select(vec!["net/ipv4/ip_forward", "net/ipv4/icmp_errors_use_inbound_ifaddr"]).prop_map(str::to_owned);
    (prop_oneof![conf, forward], select(vec!["0", "1", "1"]))
}

fn tunnel() -> impl Strategy<Value = Op> {
    (select(TUNNELS.to_vec()), host(), host(), select(vec![1u8, 64]), select(vec![1476u32, 576, 60]))
        .prop_map(|(name, local, remote, ttl, mtu)| Op::CreateTunnel { name, local, remote, ttl, mtu })
}

fn ingress() -> impl Strategy<Value = Op> {
    let groups = prop::collection::vec(Just("233.84.178.1".parse().unwrap()), 0..2);
    let policy = (select(PORTS.to_vec()), prop::collection::vec(net(), 0..3), groups);
    prop::collection::vec(policy, 0..2).prop_map(Op::SetIngress)
}

fn joined() -> impl Strategy<Value = Ipv4Addr> {
    select(vec!["233.84.178.1", "233.84.178.2"]).prop_map(|text| text.parse().unwrap())
}

fn listening() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![2 => host(), 1 => joined(), 1 => Just(Ipv4Addr::UNSPECIFIED)]
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let name = || select(vec!["b0", "b1"]);
    let device = || prop::option::weighted(0.3, select(vec!["p0", "p1", "t0"]));
    let mtu = || select(vec![67u32, 68, 576, 1400, 1500, 9000, 65_536]);
    prop_oneof![
        2 => (name(), any::<bool>(), prop::option::of(mtu()))
            .prop_map(|(name, loopback, mtu)| Op::AddLink { name, loopback, mtu }),
        1 => link().prop_map(|name| Op::DeleteLink { name }),
        4 => (link(), prop::bool::weighted(0.6)).prop_map(|(name, up)| Op::SetUp { name, up }),
        1 => (link(), mtu()).prop_map(|(name, mtu)| Op::SetMtu { name, mtu }),
        1 => (link(), select(vec!["", "a text"])).prop_map(|(name, alias)| Op::SetAlias { name, alias }),
        8 => address().prop_map(Op::AddAddress),
        3 => address().prop_map(Op::DeleteAddress),
        7 => route().prop_map(Op::AddRoute),
        3 => route().prop_map(Op::ReplaceRoute),
        3 => route().prop_map(Op::DeleteRoute),
        3 => rule().prop_map(Op::AddRule),
        1 => rule().prop_map(Op::DeleteRule),
        1 => tunnel(),
        1 => select(TUNNELS.to_vec()).prop_map(|name| Op::DeleteTunnel { name }),
        1 => ingress(),
        2 => prop::collection::vec(group(), 0..3).prop_map(Op::SetGroups),
        1 => any::<bool>().prop_map(Op::Forward),
        3 => sysctl().prop_map(|(path, value)| Op::SetSysctl { path, value }),
        4 => destination().prop_map(Op::Source),
        2 => (device(), listening(), prop::option::weighted(0.3, joined()))
            .prop_map(|(device, at, join)| Op::Listen { device, at, join }),
        1 => (link(), joined()).prop_map(|(link, group)| Op::Join { link, group }),
        14 => (0..PORTS.len(), packet(), prop::bool::weighted(0.15))
            .prop_map(|(port, packet, fragments)| Op::Receive { port, packet, fragments }),
        4 => (device(), packet()).prop_map(|(device, packet)| Op::Send { device, packet }),
        3 => (device(), prop::option::weighted(0.3, host()), destination(), select(vec![0usize, 100, 1473, 4000]))
            .prop_map(|(device, from, to, size)| Op::SendUdp { device, from, to, size }),
        3 => (device(), prop::option::weighted(0.3, host()), destination(), select(vec![8u16, 1400, 1500]), any::<bool>())
            .prop_map(|(device, from, to, size, dont_fragment)| Op::Ping { device, from, to, size, dont_fragment }),
    ]
}

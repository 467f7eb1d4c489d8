//! Property tests of the way from one state to another, on a virtual host: it refuses what a kernel refuses, and takes
//! along what goes with an interface or an address.

#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dz_net::{
    filter::IngressPolicy,
    gre::DEVICE_TTL,
    host::Host as _,
    kernel::{LinkInfo, RTPROT_DZ, RTPROT_STATIC, RouteInfo},
};
use dzsim_fabric::FabricConfig;
use dzsim_host::{HostSpec, Modules, Network, NetworkConfig, PortSpec, VirtualHost};
use ipnet::Ipv4Net;
use proptest::prelude::*;

use super::{
    Change, Desired, Host, Link, State, desired, diff,
    kernel::Kernel,
    state::{Address, Outer, Route, RouteKey},
};
use crate::config::{
    DeviceConfig, DeviceState, GroupEnd, GroupRoute, IfName, LinkPort, LinkState, Loopback, NextHop, Port, Service,
    TUNNEL_MTU, Table, Tunnel,
};

const PORTS: [&str; 3] = ["Ethernet1", "Ethernet2", "Ethernet3"];

/// A device without a config.
struct Device {
    host: Arc<VirtualHost>,
    kernel: Kernel,
}

impl Device {
    /// With three ports, of which the last is down.
    async fn new(modules: Modules) -> Self {
        let network =
            Network::new(&NetworkConfig { fabric: FabricConfig::default(), epoch: std::time::Duration::ZERO });
        let network = network.expect("no capture is made");
        let uplink = PortSpec::uplink("Ethernet0", [45, 33, 99, 1].into());
        let host = network.add_host(HostSpec { name: "nyc1".to_owned(), router: true, modules, uplink });
        for port in PORTS {
            network.add_port("nyc1", PortSpec::new(port)).expect("the name is free");
        }
        let host = Arc::new(host.expect("the first host"));
        let down = host.link_index(PORTS[2]).await.expect("the port is there");
        host.set_link_up(down, false).await.expect("the port is there");
        let kernel = Kernel::open(host.clone()).await.expect("it makes tunnels");
        Self { host, kernel }
    }

    async fn read(&mut self, config: &DeviceConfig) -> (State, State) {
        let (Desired { state: wanted, .. }, actual) = self.kernel.read(config).await.expect("it can be read");
        (wanted, actual)
    }

    /// What someone does by hand: removes the thing that the number falls on, or sets an interface down.
    async fn meddle(&self, number: usize) {
        let host = &self.host;
        let pick = |length: usize| number / 8 % length.max(1);
        let is_ours = |link: &LinkInfo| link.name.starts_with("Loopback") || link.name.starts_with("tun");
        let links: Vec<_> = host.links().await.expect("listed").into_iter().filter(is_ours).collect();
        let addresses = host.addrs().await.expect("listed");
        let addresses: Vec<_> = addresses.into_iter().filter(|address| address.protocol == RTPROT_DZ).collect();
        let routes: Vec<_> =
            host.routes().await.expect("listed").into_iter().filter(|route| route.protocol == RTPROT_DZ).collect();
        match number % 8 {
            0 | 1 => {
                if let Some(link) = links.get(pick(links.len())) {
                    host.delete_link(link.index).await.expect("deleted");
                }
            }
            2 => {
                if let Some(link) = links.get(pick(links.len())) {
                    host.set_link_up(link.index, false).await.expect("set down");
                }
            }
            3 => {
                if let Some(address) = addresses.get(pick(addresses.len())) {
                    host.delete_addr(address).await.expect("deleted");
                }
            }
            4 => {
                if let Some(route) = routes.get(pick(routes.len())) {
                    let by_hand = RouteInfo { protocol: RTPROT_STATIC, ..route.clone() };
                    host.replace_route(&by_hand).await.expect("replaced");
                }
            }
            5 => {
                if let Some(route) = routes.first() {
                    host.delete_route(route).await.expect("deleted");
                }
            }
            6 => {
                let policies: Vec<IngressPolicy> = host.ingress().await.expect("listed").into_values().collect();
                let left = policies.len().saturating_sub(1);
                host.set_ingress(policies[..left].to_vec()).await.expect("set");
                let groups = host.group_routes().await.expect("listed").into_iter().skip(1).map(|(route, _)| route);
                host.set_group_routes(groups.collect()).await.expect("set");
                host.set_sysctl("net/ipv4/ip_forward", "0").await.expect("set");
            }
            _ => {}
        }
    }
}

/// What is in the state before and in the wanted one, and not there now: routes, and addresses on whichever interface.
fn lacks(now: &State, before: &State, wanted: &State) -> Vec<String> {
    // A new interface of the same name has to have its routes put again.
    let renewed = |name: &IfName| match (before.links.get(name), wanted.links.get(name)) {
        (Some(Link::Tunnel { outer: a, .. }), Some(Link::Tunnel { outer: b, .. })) => a != b,
        _ => false,
    };
    let routes = before.routes.iter().filter(|(key, route)| {
        wanted.routes.get(key) == Some(route)
            && !renewed(&route.interface)
            && !is_flushed(&route.interface, wanted, before)
            && now.routes.get(key) != Some(route)
    });
    let has = |state: &State, net: Ipv4Net| state.addresses.iter().any(|address| address.net == net);
    let addresses = before
        .addresses
        .iter()
        .filter(|address| has(wanted, address.net) && !address.interface.is_tunnel() && !has(now, address.net));
    routes.map(|route| format!("{route:?}")).chain(addresses.map(|address| format!("{address:?}"))).collect()
}

/// The tunnels that carry something and lack the filter or the rule that refuses what they must not carry.
fn open_tunnels(state: &State) -> Vec<&IfName> {
    let refused =
        |name: &IfName| state.rules.iter().any(|rule| rule.interface == name.as_str() && rule.table.is_none());
    let carries = |link: &Link| matches!(link, Link::Tunnel { up: true, .. });
    let tunnels = state.links.iter().filter(|(_, link)| carries(link)).map(|(name, _)| name);
    tunnels.filter(|name| !refused(name) || !state.ingress.contains_key(*name)).collect()
}

/// Counts what differs between two states: what goes with its interface counts only if it has to be put again.
fn distance(desired: &State, actual: &State) -> usize {
    let mut count = desired.sysctls.iter().filter(|(path, value)| actual.sysctls.get(*path) != Some(value)).count();
    // Interfaces that go or are made anew.
    let mut lost = BTreeSet::new();
    for name in desired.links.keys().chain(actual.links.keys()).collect::<BTreeSet<_>>() {
        let (wanted, is) = (desired.links.get(name), actual.links.get(name));
        let outer = |link: &Link| match link {
            Link::Tunnel { outer, .. } => Some(*outer),
            Link::Loopback { .. } => None,
        };
        match (wanted, is) {
            (Some(wanted), Some(is)) if outer(wanted) == outer(is) => count += usize::from(!is.is_up()),
            _ => {
                // A loopback is made down and a tunnel up.
                let made = |link: &Link| 1 + usize::from(matches!(link, Link::Loopback { .. }));
                count += usize::from(is.is_some()) + wanted.map_or(0, made);
                lost.insert(name);
            }
        }
    }
    let unwanted = actual.addresses.difference(&desired.addresses);
    count += unwanted.filter(|address| !lost.contains(&address.interface)).count();
    let missing = |address: &&_| !actual.addresses.contains(address);
    count += desired.addresses.iter().filter(|a| missing(a) || lost.contains(&a.interface)).count();
    count += desired.rules.symmetric_difference(&actual.rules).count();
    for key in desired.routes.keys().chain(actual.routes.keys()).collect::<BTreeSet<_>>() {
        let (wanted, is) = (desired.routes.get(key), actual.routes.get(key));
        let is = is.filter(|route| !lost.contains(&route.interface));
        let flushed = wanted.is_some() && is.is_some_and(|route| is_flushed(&route.interface, desired, actual));
        count += usize::from(wanted != is || flushed);
    }
    let mut left = actual.clone();
    lost.into_iter().for_each(|name| left.forget_interface(name));
    count + usize::from(desired.ingress != actual.ingress) + usize::from(desired.groups != left.groups)
}

/// Whether the kernel forgets an interface's routes: its one address is replaced by none, or by another of its network.
fn is_flushed(name: &IfName, desired: &State, actual: &State) -> bool {
    let of = |state: &State| state.addresses.iter().find(|address| address.interface == *name).map(|a| a.net);
    match (of(actual), of(desired)) {
        (Some(is), Some(wanted)) => is != wanted && is.trunc() == wanted.trunc(),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

fn host() -> Host {
    Host {
        interfaces: BTreeMap::from([(name("Ethernet1"), true), (name("Ethernet2"), true), (name("Ethernet3"), false)]),
        addresses: BTreeSet::new(),
        uplink: Some((name("Ethernet0"), Some([9, 0, 0, 254].into()))),
    }
}

fn name(text: &str) -> IfName {
    text.parse().expect("a valid name")
}

prop_compose! {
    fn tunnel(id: u16)(
        endpoint in 1..4u8,
        client in 1..6u8,
        shut in prop::bool::weighted(0.2),
        kind in 0..4u8,
        vrf in 1..4u16,
        net in 0..3u8,
    ) -> (u16, Tunnel) {
        let service = match kind {
            0 => Service::Unicast { vrf, dz_ip: [9, 1, 0, client].into(), allocated: false },
            1 => Service::Unicast { vrf, dz_ip: [45, 33, 100, client].into(), allocated: true },
            2 => Service::Multicast { source: None, publish: BTreeSet::new(), subscribe: BTreeSet::new() },
            _ => Service::Multicast {
                source: Some([148, 51, 120, client].into()),
                publish: BTreeSet::from([[233, 84, 178, 0].into()]),
                subscribe: BTreeSet::new(),
            },
        };
        let overlay = Ipv4Net::new([169, 254, net, 2 * client].into(), 31).expect("a valid length");
        let tunnel = Tunnel {
            user: client.to_string(),
            source: [45, 33, 100, endpoint].into(),
            destination: [9, 1, 0, client].into(),
            overlay,
            mtu: TUNNEL_MTU,
            ttl: DEVICE_TTL,
            shut,
            service,
        };
        (id, tunnel)
    }
}

fn tunnels() -> impl Strategy<Value = BTreeMap<u16, Tunnel>> {
    let ids: Vec<_> = (500..505).map(|id| prop::option::of(tunnel(id))).collect();
    ids.prop_map(|tunnels| {
        let mut pairs = BTreeSet::new();
        let first = |(_, tunnel): &(u16, Tunnel)| pairs.insert((tunnel.source, tunnel.destination));
        tunnels.into_iter().flatten().filter(first).collect()
    })
}

/// A port, perhaps with a link, of which this device is one side or the other.
fn port(number: u8, link: Option<(LinkState, u8)>) -> (IfName, Port) {
    let text = format!("Ethernet{number}");
    let address = link.map(|(_, side)| Ipv4Net::new([172, 16, number, side].into(), 31).expect("a valid length"));
    let link = link.map(|(state, side)| LinkPort {
        code: text.clone(),
        peer: "peer".to_owned(),
        gateway: [172, 16, number, 1 - side].into(),
        metric: 1,
        state,
    });
    (name(&text), Port { name: text, address, endpoint: false, link })
}

prop_compose! {
    fn config()(
        endpoints in prop::collection::btree_map(100..103u8, 1..4u8, 0..3),
        tunnels in tunnels(),
        links in prop::array::uniform3(prop::option::of(
            (prop::sample::select(vec![LinkState::Active, LinkState::Closed]), 0..2u8),
        )),
        groups in prop::collection::btree_map(
            (0..2u8, 0..2u8), (0..8u16, prop::collection::btree_set(0..8u16, 0..4)), 0..4,
        ),
        hops in prop::collection::btree_map((0..3u16, 1..6u8), 0..8u16, 0..6),
    ) -> DeviceConfig {
        let mut tables = BTreeMap::new();
        let mut transit = BTreeMap::new();
        for ((vrf, client), next) in hops {
            let next = match next {
                id @ 0..5 if tunnels.contains_key(&(500 + id)) => NextHop::Tunnel(500 + id),
                number => {
                    let number = number % 3 + 1;
                    // Traffic goes over links that carry any, to the gateway of each.
                    let Some((LinkState::Active, side)) = links[usize::from(number) - 1] else { continue };
                    let gateway = [172, 16, number as u8, 1 - side].into();
                    NextHop::Link { port: name(&format!("Ethernet{number}")), gateway }
                }
            };
            let routes = match vrf {
                0 => &mut transit,
                vrf => &mut tables.entry(vrf).or_insert_with(|| Table { tenant: None, routes: BTreeMap::new() }).routes,
            };
            routes.insert([9, 1, 0, client].into(), next);
        }
        let loopback = |(number, last): (u8, u8)| {
            let address = Some([45, 33, 100, last].into());
            (name(&format!("Loopback{number}")), Loopback { address, endpoint: true })
        };
        let end = |number: u16| match number {
            id @ 0..5 if tunnels.contains_key(&(500 + id)) => GroupEnd::Tunnel(500 + id),
            number => GroupEnd::Port(name(&format!("Ethernet{}", number % 4 + 1))),
        };
        let groups = groups.into_iter().map(|((source, group), (from, to))| {
            let (from, mut to) = (end(from), to.into_iter().map(end).collect::<BTreeSet<_>>());
            to.remove(&from);
            let (source, group) = ([148, 51, 120, source].into(), [233, 84, 178, group].into());
            GroupRoute { source, group, code: "mg".to_owned(), from, to }
        });
        let groups = groups.collect();
        DeviceConfig {
            device: "nyc1".to_owned(),
            state: DeviceState::Serving,
            public_ip: [9, 0, 0, 1].into(),
            loopbacks: endpoints.into_iter().map(loopback).collect(),
            ports: (1..4).zip(links).map(|(number, link)| port(number, link)).collect(),
            tunnels,
            tables,
            transit,
            groups,
        }
    }
}

/// Applies configs one after the other, with what someone does by hand in between.
async fn history(modules: Modules, steps: &[(DeviceConfig, Vec<usize>)]) -> Result<(), TestCaseError> {
    let mut device = Device::new(modules).await;
    for (config, meddling) in steps {
        let (wanted, before) = device.read(config).await;
        let changes = diff(&wanted, &before);
        prop_assert_eq!(changes.len(), distance(&wanted, &before), "{:#?}", changes);
        // Nothing is opened on the way, be it for a moment; what someone opened by hand is closed. And what stays is there
        // all the time.
        let closed = open_tunnels(&before).is_empty();
        let mut last = before.clone();
        for change in &changes {
            let applied = device.kernel.apply(change).await.map_err(|error| error.to_string());
            prop_assert_eq!(applied, Ok(()), "{} in {:#?}", change, changes);
            let (_, now) = device.read(config).await;
            prop_assert!(now != last, "{} changes nothing in {:#?}", change, changes);
            prop_assert_eq!(lacks(&now, &before, &wanted), Vec::<String>::new(), "{} in {:#?}", change, changes);
            prop_assert!(!closed || open_tunnels(&now).is_empty(), "{} opens a tunnel", change);
            last = now;
        }
        prop_assert_eq!(&last, &wanted);
        prop_assert_eq!(diff(&wanted, &last), vec![]);
        for number in meddling {
            device.meddle(*number).await;
        }
    }
    Ok(())
}

#[test]
fn endpoints_are_made_before_the_tunnels_that_use_them_whatever_their_names() {
    let outer = Outer { local: [45, 33, 100, 1].into(), remote: [9, 1, 0, 1].into(), ttl: DEVICE_TTL, mtu: TUNNEL_MTU };
    let last: IfName = "zebra1".parse().expect("a valid name");
    let links =
        [(last.clone(), Link::Loopback { up: true }), (IfName::of_tunnel(500), Link::Tunnel { outer, up: true })];
    let wanted = State { links: links.into(), ..State::default() };
    let made =
        [Change::AddLoopback(last.clone()), Change::SetUp(last), Change::CreateTunnel(IfName::of_tunnel(500), outer)];
    assert_eq!(diff(&wanted, &State::default()), made);
}

#[test]
fn routes_of_an_interface_that_is_without_an_address_for_a_moment_are_put_again() {
    let port: IfName = PORTS[0].parse().expect("a valid name");
    let key = RouteKey { table: 254, destination: "9.1.0.0/24".parse().expect("a network") };
    let route = Route { interface: port.clone(), gateway: None, own: true };
    let state = |addresses: &[&str]| {
        let address = |net: &&str| Address { interface: port.clone(), net: net.parse().expect("an address") };
        // Another interface keeps its own.
        let other = Address { interface: PORTS[1].parse().expect("a valid name"), net: "10.9.0.1/30".parse().unwrap() };
        let addresses = addresses.iter().map(address).chain([other]).collect();
        State { addresses, routes: [(key.clone(), route.clone())].into(), ..State::default() }
    };
    for (is, wanted, put_again) in [
        (&["172.16.0.1/30"][..], &["172.16.0.1/30"][..], false),
        (&[], &[], false),
        (&[], &["172.16.0.1/30"], false),
        // The last one goes.
        (&["172.16.0.1/30"], &[], true),
        // The new one comes before the old one goes, unless it is of the same network.
        (&["172.16.0.1/30"], &["172.16.0.5/30"], false),
        (&["172.16.0.1/30"], &["172.16.0.2/30"], true),
        // Another one stays, or stays as long.
        (&["172.16.0.1/30", "10.0.0.1/30"], &["172.16.0.2/30", "10.0.0.1/30"], false),
        (&["172.16.0.1/30", "10.0.0.1/30"], &["172.16.0.2/30"], false),
    ] {
        let changes = diff(&state(wanted), &state(is));
        let put = changes.contains(&Change::PutRoute(key.clone(), route.clone()));
        assert_eq!(put, put_again, "{is:?} to {wanted:?}: {changes:#?}");
    }
}

#[test]
fn a_change_is_said_in_words() {
    let tunnel = IfName::of_tunnel(500);
    let outer = Outer { local: [45, 33, 100, 1].into(), remote: [9, 1, 0, 1].into(), ttl: DEVICE_TTL, mtu: TUNNEL_MTU };
    let said = [
        Change::CreateTunnel(tunnel.clone(), outer),
        Change::SetUp(tunnel.clone()),
        Change::AddAddress(Address { interface: tunnel, net: "169.254.0.0/31".parse().expect("an address") }),
    ]
    .map(|change| change.to_string());
    let expected =
        ["create tunnel tun500 from 45.33.100.1 to 9.1.0.1", "set tun500 up", "add address 169.254.0.0/31 to tun500"];
    assert_eq!(said, expected);
}

proptest! {
    #[test]
    fn any_sequence_ends_in_the_state_of_the_last_config(
        gre: bool,
        steps in prop::collection::vec((config(), prop::collection::vec(any::<usize>(), 0..3)), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(history(Modules { dummy: gre, gre }, &steps))?;
    }

    #[test]
    fn what_does_not_change_is_not_touched(before in config(), after in config()) {
        let host = host();
        let (before, after) = (desired(&before, &host).state, desired(&after, &host).state);
        for change in diff(&after, &before) {
            match &change {
                Change::CreateTunnel(name, _) | Change::DeleteTunnel(name) | Change::AddLoopback(name)
                | Change::DeleteLoopback(name) => prop_assert!(before.links.get(name) != after.links.get(name)),
                Change::AddRule(rule) | Change::DeleteRule(rule) => {
                    prop_assert!(before.rules.contains(rule) != after.rules.contains(rule));
                }
                _ => {}
            }
        }
    }
}

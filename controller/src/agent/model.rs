//! Property tests of the way from one state to another, against a model of the kernel that is as strict as the real one
//! about what may be done to what, and takes along what goes with an interface.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use proptest::prelude::*;

use super::{Address, Change, Desired, Host, Link, State, desired, diff};
use crate::config::{
    DeviceConfig, DeviceState, GroupEnd, GroupRoute, IfName, LinkPort, LinkState, Loopback, NextHop, Port, Service,
    TUNNEL_MTU, TUNNEL_TTL, Table, Tunnel,
};

/// A kernel that fails where the real one would.
struct Kernel {
    state: State,
    ports: BTreeSet<IfName>,
}

impl Kernel {
    fn apply(&mut self, change: &Change) {
        let state = &mut self.state;
        match change.clone() {
            Change::SetSysctl { path, value } => {
                state.sysctls.insert(path, value);
            }
            Change::DeleteTunnel(name) => {
                assert!(matches!(state.links.remove(&name), Some(Link::Tunnel { .. })), "{name} is no tunnel");
                state.forget_interface(&name);
            }
            Change::DeleteLoopback(name) => {
                assert!(matches!(state.links.remove(&name), Some(Link::Loopback { .. })), "{name} is no loopback");
                state.forget_interface(&name);
            }
            Change::AddLoopback(name) => {
                let old = state.links.insert(name, Link::Loopback { up: false });
                assert_eq!(old, None, "EEXIST");
            }
            Change::CreateTunnel(name, outer) => {
                let pair = (outer.local, outer.remote);
                let same =
                    |link: &Link| matches!(link, Link::Tunnel { outer, .. } if (outer.local, outer.remote) == pair);
                assert!(!state.links.values().any(same), "EEXIST: {pair:?}");
                let old = state.links.insert(name, Link::Tunnel { outer, up: true });
                assert_eq!(old, None, "EEXIST");
            }
            Change::SetUp(name) => match state.links.get_mut(&name).expect("ENODEV") {
                Link::Loopback { up } | Link::Tunnel { up, .. } => *up = true,
            },
            Change::AddAddress(address) => {
                assert!(
                    self.ports.contains(&address.interface) || state.links.contains_key(&address.interface),
                    "ENODEV"
                );
                assert!(state.addresses.insert(address), "EEXIST");
            }
            Change::DeleteAddress(address) => {
                assert!(state.addresses.remove(&address), "EADDRNOTAVAIL");
                // A later one of the same network is secondary, and goes with it.
                let left =
                    |other: &Address| other.interface != address.interface || other.net.trunc() != address.net.trunc();
                state.addresses.retain(left);
                if !state.addresses.iter().any(|other| other.interface == address.interface) {
                    state.routes.retain(|_, route| route.interface != address.interface);
                }
            }
            Change::PutRoute(key, route) => {
                let up = |link: Option<&Link>| link.is_some_and(Link::is_up);
                assert!(self.ports.contains(&route.interface) || up(state.links.get(&route.interface)), "ENETDOWN");
                state.routes.insert(key, route);
            }
            Change::DeleteRoute(key, route) => assert_eq!(state.routes.remove(&key), Some(route), "ESRCH"),
            Change::AddRule(rule) => assert!(state.rules.insert(rule), "EEXIST"),
            Change::DeleteRule(rule) => assert!(state.rules.remove(&rule), "ENOENT"),
            Change::SetIngress(ingress) => state.ingress = ingress,
            Change::SetGroups(groups) => {
                for name in groups.values().flat_map(|way| way.to.iter().chain([&way.from])) {
                    assert!(self.ports.contains(name) || state.links.contains_key(name), "ENODEV");
                }
                state.groups = groups;
            }
        }
    }

    /// What is in both states and not there now: routes, and addresses on whichever interface.
    fn lacks(&self, before: &State, wanted: &State) -> Vec<String> {
        let now = &self.state;
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
    fn open_tunnels(&self) -> Vec<&IfName> {
        let refused =
            |name: &IfName| self.state.rules.iter().any(|rule| rule.interface == name.as_str() && rule.table.is_none());
        let carries = |link: &Link| matches!(link, Link::Tunnel { up: true, .. });
        let tunnels = self.state.links.iter().filter(|(_, link)| carries(link)).map(|(name, _)| name);
        tunnels.filter(|name| !refused(name) || !self.state.ingress.contains_key(*name)).collect()
    }
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

fn name(text: &str) -> IfName {
    text.parse().expect("a valid name")
}

fn host() -> Host {
    Host {
        interfaces: BTreeMap::from([(name("Ethernet1"), true), (name("Ethernet2"), true), (name("Ethernet3"), false)]),
        addresses: BTreeSet::new(),
    }
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
            ttl: TUNNEL_TTL,
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
                    NextHop::Link { port: name(&format!("Ethernet{number}")), gateway: [172, 16, 0, 1].into() }
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
            loopbacks: endpoints.into_iter().map(loopback).collect(),
            ports: (1..4).zip(links).map(|(number, link)| port(number, link)).collect(),
            tunnels,
            tables,
            transit,
            groups,
        }
    }
}

/// What someone does by hand: removes the thing that the number falls on, or sets an interface down.
fn meddle(state: &mut State, number: usize) {
    let links: Vec<IfName> = state.links.keys().cloned().collect();
    let pick = |length: usize| number / 8 % length.max(1);
    match number % 8 {
        0 | 1 => {
            if let Some(name) = links.get(pick(links.len())) {
                state.links.remove(name);
                state.forget_interface(name);
            }
        }
        2 => {
            if let Some(name) = links.get(pick(links.len()))
                && let Some(Link::Loopback { up } | Link::Tunnel { up, .. }) = state.links.get_mut(name)
            {
                *up = false;
                state.routes.retain(|_, route| route.interface != *name);
            }
        }
        3 => {
            let index = pick(state.addresses.len());
            state.addresses =
                state.addresses.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, a)| a.clone()).collect();
        }
        4 => {
            let index = pick(state.routes.len());
            if let Some(route) = state.routes.values_mut().nth(index) {
                route.own = false;
            }
        }
        5 => {
            state.routes.pop_first();
        }
        6 => {
            state.ingress.pop_last();
            state.groups.pop_first();
            state.sysctls.insert("net/ipv4/ip_forward".to_owned(), "0".to_owned());
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_sequence_ends_in_the_state_of_the_last_config(
        steps in prop::collection::vec((config(), prop::collection::vec(any::<usize>(), 0..3)), 1..6),
    ) {
        let host = host();
        let mut kernel = Kernel { state: State::default(), ports: host.interfaces.keys().cloned().collect() };
        for (config, meddling) in &steps {
            let Desired { state: wanted, .. } = desired(config, &host);
            let changes = diff(&wanted, &kernel.state);
            prop_assert_eq!(changes.len(), distance(&wanted, &kernel.state), "{:#?}", changes);
            // Nothing is opened on the way, be it for a moment; what someone opened by hand is closed. And what stays is
            // there all the time.
            let closed = kernel.open_tunnels().is_empty();
            let before = kernel.state.clone();
            for change in &changes {
                kernel.apply(change);
                prop_assert_eq!(kernel.lacks(&before, &wanted), Vec::<String>::new(), "{} in {:#?}", change, changes);
                prop_assert!(!closed || kernel.open_tunnels().is_empty(), "{} opens a tunnel", change);
            }
            // What nobody wants any more may stay in parameters; the rest is as wanted, and nothing is left to do.
            kernel.state.sysctls.retain(|path, _| wanted.sysctls.contains_key(path));
            prop_assert_eq!(&kernel.state, &wanted);
            prop_assert_eq!(diff(&wanted, &kernel.state), vec![]);
            for number in meddling {
                meddle(&mut kernel.state, *number);
            }
        }
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

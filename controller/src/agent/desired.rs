//! The kernel state for a config. Pure.
//!
//! A table of the chain is a routing table, and rules choose it by where a packet came in:
//!
//! | priority | what came in by | goes to |
//! |---|---|---|
//! | 1000 | the device itself, for a unicast user | the user's table |
//! | 2000 | a unicast tunnel, from the user's dz_ip | the user's table |
//! | 2001 | a tunnel of edge filtering, from the user's dz_ip | the internet |
//! | 2002 | any tunnel | nowhere |
//! | 3000 | a backbone port | the transit table |
//! | 3001 | a backbone port | nowhere |
//!
//! The local table comes before all of these (priority 0), the main table, which knows the internet, after. As each
//! interface's last rule refuses what its table does not know, nothing from a tunnel or the backbone reaches the internet,
//! but what a user of edge filtering sends. Its table of the internet has nothing but the way out, so that no user reaches
//! by it what is behind another tunnel.
//!
//! Before any table, a filter drops and counts what a user may not send at all. It lets the client's overlay address
//! pass, which the rules above then lead to the device itself and nowhere else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_net::mroute::MAX_INTERFACES;
use ipnet::Ipv4Net;

use super::state::{Address, Flow, Forwarding, Ingress, Link, Outer, Route, RouteKey, Rule, State};
use crate::config::{DeviceConfig, GroupEnd, IfName, NextHop, Service, Tunnel};

/// The table of what comes over the backbone.
const TRANSIT_TABLE: u32 = 1000;
/// The table of a VRF is this plus its id; ids start at 1.
pub const VRF_TABLES: u32 = 1000;
/// The table of everything else, in which multicast tunnels are.
const MAIN_TABLE: u32 = 254;
/// The table of what users of edge filtering send to the internet: the way out, and nothing else.
const INTERNET_TABLE: u32 = 999;

const LOCAL_RULE: u32 = 1000;
const TUNNEL_RULE: u32 = 2000;
const INTERNET_RULE: u32 = 2001;
const TUNNEL_REFUSE: u32 = 2002;
const BACKBONE_RULE: u32 = 3000;
const BACKBONE_REFUSE: u32 = 3001;

/// Parameters of the whole device.
const SYSCTLS: [(&str, &str); 6] = [
    ("net/ipv4/ip_forward", "1"),
    // What a user may send from is checked by rules. The kernel's own check looks a source up the way back, which for
    // a client's own address is the internet and not the tunnel it came by.
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    // A user that sends to itself is told of no better way. Either of the two would make the kernel send redirects.
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    // An ICMP error about what came out of a tunnel has the tunnel's overlay address as source and so goes back there.
    ("net/ipv4/icmp_errors_use_inbound_ifaddr", "1"),
];

/// What the machine has that the agent does not make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// All interfaces by name; true when they are up and have a carrier.
    pub interfaces: BTreeMap<IfName, bool>,
    /// Addresses that others have put on interfaces.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// The way to the internet: the interface, and the gateway if there is one.
    pub uplink: Option<(IfName, Option<Ipv4Addr>)>,
}

/// What a kernel is to be, and what of the config this machine cannot have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// What is to be.
    pub state: State,
    /// Why something of the config is not in `state`.
    pub lacking: Vec<String>,
    /// Codes of the links whose port is not there or has no carrier.
    pub failed_links: BTreeSet<String>,
}

/// What this config is on this machine.
pub fn desired(config: &DeviceConfig, host: &Host) -> Desired {
    let mut all = Desired::default();
    for (path, value) in SYSCTLS {
        all.state.sysctls.insert(path.to_owned(), value.to_owned());
    }
    loopbacks(config, &mut all.state);
    ports(config, host, &mut all);
    public_ip(config, host, &mut all);
    internet(config, host, &mut all);
    // A tunnel that is shut carries nothing, which is surest where there is none.
    for (id, tunnel) in config.tunnels.iter().filter(|(_, tunnel)| !tunnel.shut) {
        add_tunnel(*id, tunnel, &mut all.state);
    }
    for (vrf, table) in &config.tables {
        for (dz_ip, next) in &table.routes {
            add_route(VRF_TABLES + u32::from(*vrf), Ipv4Net::from(*dz_ip), next, host, &mut all.state);
        }
    }
    for (dz_ip, next) in &config.transit {
        add_route(TRANSIT_TABLE, Ipv4Net::from(*dz_ip), next, host, &mut all.state);
    }
    groups(config, host, &mut all);
    // What leads into a tunnel that is shut leads nowhere.
    let made = |name: &IfName| !name.is_tunnel() || all.state.links.contains_key(name);
    all.state.routes.retain(|_, route| made(&route.interface));
    all
}

fn loopbacks(config: &DeviceConfig, state: &mut State) {
    for (name, loopback) in &config.loopbacks {
        state.links.insert(name.clone(), Link::Loopback { up: true });
        if let Some(address) = loopback.address {
            state.addresses.insert(Address { interface: name.clone(), net: Ipv4Net::from(address) });
        }
    }
}

fn ports(config: &DeviceConfig, host: &Host, all: &mut Desired) {
    for (name, port) in &config.ports {
        let present = host.interfaces.get(name);
        if let Some(link) = &port.link
            && present != Some(&true)
        {
            all.failed_links.insert(link.code.clone());
        }
        // The address of a port that leads to the internet is usually there before any config.
        let foreign = port.address.is_some_and(|net| host.addresses.contains(&net.addr()));
        if present.is_none() {
            if port.address.is_some() && !foreign {
                all.lacking.push(format!("port {name} of interface {} is not there", port.name));
            }
            continue;
        }
        let state = &mut all.state;
        if let Some(net) = port.address.filter(|_| !foreign) {
            state.addresses.insert(Address { interface: name.clone(), net });
        }
        if port.link.is_some() {
            state.sysctls.insert(format!("net/ipv4/conf/{name}/rp_filter"), "0".to_owned());
            let rule = |priority, table| Rule { priority, interface: name.to_string(), from: None, to: None, table };
            state.rules.insert(rule(BACKBONE_RULE, Some(TRANSIT_TABLE)));
            state.rules.insert(rule(BACKBONE_REFUSE, None));
        }
    }
}

/// The device's address, unless somebody else has seen to it. A former one that others have put there stays: it is theirs.
fn public_ip(config: &DeviceConfig, host: &Host, all: &mut Desired) {
    let net = Ipv4Net::from(config.public_ip);
    if host.addresses.contains(&config.public_ip)
        || all.state.addresses.iter().any(|held| held.net.addr() == net.addr())
    {
        return;
    }
    match &host.uplink {
        Some((uplink, _)) => {
            all.state.addresses.insert(Address { interface: uplink.clone(), net });
        }
        None => all.lacking.push(format!("no way to the internet, and so no interface for {}", config.public_ip)),
    }
}

/// The way out for users of edge filtering.
fn internet(config: &DeviceConfig, host: &Host, all: &mut Desired) {
    let filtered = |tunnel: &&Tunnel| !tunnel.shut && matches!(tunnel.service, Service::EdgeFiltering { .. });
    if !config.tunnels.values().any(|tunnel| filtered(&tunnel)) {
        return;
    }
    match &host.uplink {
        Some((interface, gateway)) => {
            let key = RouteKey { table: INTERNET_TABLE, destination: Ipv4Net::default() };
            all.state.routes.insert(key, Route { interface: interface.clone(), gateway: *gateway, own: true });
        }
        None => all.lacking.push("no way to the internet for edge filtering".to_owned()),
    }
}

fn add_tunnel(id: u16, tunnel: &Tunnel, state: &mut State) {
    let name = IfName::of_tunnel(id);
    let outer = Outer { local: tunnel.source, remote: tunnel.destination, ttl: tunnel.ttl, mtu: tunnel.mtu };
    state.links.insert(name.clone(), Link::Tunnel { outer, up: true });
    state.addresses.insert(Address { interface: name.clone(), net: tunnel.overlay });
    let interface = name.to_string();
    state.rules.insert(Rule {
        priority: TUNNEL_REFUSE,
        interface: interface.clone(),
        from: None,
        to: None,
        table: None,
    });
    let mut ingress = Ingress { sources: BTreeSet::from([tunnel.peer()]), groups: BTreeSet::new() };
    match &tunnel.service {
        Service::Unicast { vrf, dz_ip, allocated } => {
            ingress.sources.insert(*dz_ip);
            let table = Some(VRF_TABLES + u32::from(*vrf));
            state.rules.insert(Rule { priority: TUNNEL_RULE, interface, from: Some(*dz_ip), to: None, table });
            // To the client's own address the device answers into the tunnel only as the tunnel's end: from its
            // endpoint's address go the outer packets, to the same destination over the internet.
            let from = (!allocated).then_some(tunnel.overlay.addr());
            let lo = "lo".to_owned();
            state.rules.insert(Rule { priority: LOCAL_RULE, interface: lo, from, to: Some(*dz_ip), table });
        }
        Service::EdgeFiltering { vrf, dz_ip } => {
            ingress.sources.insert(*dz_ip);
            let (vrf, from, to) = (Some(VRF_TABLES + u32::from(*vrf)), Some(*dz_ip), Some(*dz_ip));
            let mut rule = |priority, interface: &str, from, to, table| {
                state.rules.insert(Rule { priority, interface: interface.to_owned(), from, to, table });
            };
            rule(TUNNEL_RULE, &interface, from, None, vrf);
            rule(INTERNET_RULE, &interface, from, None, Some(INTERNET_TABLE));
            rule(LOCAL_RULE, "lo", None, to, vrf);
            let key = RouteKey { table: MAIN_TABLE, destination: Ipv4Net::from(*dz_ip) };
            state.routes.insert(key, Route { interface: name.clone(), gateway: None, own: true });
        }
        Service::Multicast { source: Some(source), publish, .. } => {
            ingress.sources.insert(*source);
            ingress.groups.clone_from(publish);
            // A publisher's address is the network's own, so the way to it is the tunnel for everyone.
            let key = RouteKey { table: MAIN_TABLE, destination: Ipv4Net::from(*source) };
            state.routes.insert(key, Route { interface: name.clone(), gateway: None, own: true });
        }
        Service::Multicast { source: None, .. } => {}
    }
    state.ingress.insert(name, ingress);
}

/// The ways of group traffic, as far as the kernel has numbers for interfaces that take part.
fn groups(config: &DeviceConfig, host: &Host, all: &mut Desired) {
    // A tunnel that is there and not wanted is about to go.
    let port = |name: &IfName| !name.is_tunnel() && host.interfaces.contains_key(name);
    let there = |name: &IfName| all.state.links.contains_key(name) || port(name);
    let mut ways: BTreeMap<Flow, Forwarding> = BTreeMap::new();
    for route in &config.groups {
        let from = route.from.interface();
        let to: BTreeSet<IfName> = route.to.iter().map(GroupEnd::interface).filter(there).collect();
        if there(&from) && !to.is_empty() {
            ways.insert(Flow { group: route.group, source: route.source }, Forwarding { from, to });
        }
    }
    // Those that many depend on come first: where packets come in, and where they go on to other devices.
    let mut order: Vec<IfName> =
        ways.values().map(|way| way.from.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut outgoing: Vec<IfName> = ways.values().flat_map(|way| way.to.iter().cloned()).collect();
    outgoing.sort_by_key(|name| (name.is_tunnel(), name.clone()));
    for name in outgoing {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    let left_out: BTreeSet<IfName> = order.into_iter().skip(MAX_INTERFACES).collect();
    ways.retain(|_, way| {
        way.to.retain(|name| !left_out.contains(name));
        !left_out.contains(&way.from) && !way.to.is_empty()
    });
    let reason = |name| format!("{name} has no part in group traffic: the kernel takes {MAX_INTERFACES} interfaces");
    all.lacking.extend(left_out.iter().map(reason));
    all.state.groups = ways;
}

fn add_route(table: u32, destination: Ipv4Net, next: &NextHop, host: &Host, state: &mut State) {
    let route = match next {
        NextHop::Tunnel(id) => Route { interface: IfName::of_tunnel(*id), gateway: None, own: true },
        NextHop::Link { port, gateway } => {
            // Where the port is not there or down the kernel refuses the route, and `lacking` says why.
            if host.interfaces.get(port) != Some(&true) {
                return;
            }
            Route { interface: port.clone(), gateway: Some(*gateway), own: true }
        }
    };
    state.routes.insert(RouteKey { table, destination }, route);
}

#[cfg(test)]
mod tests {
    use dz_net::gre::DEVICE_TTL;

    use super::*;
    use crate::config::{DeviceState, GroupRoute, LinkPort, LinkState, Loopback, Port, TUNNEL_MTU};

    fn tunnel(id: u16, shut: bool) -> (u16, Tunnel) {
        let last = u8::try_from(id - 500).expect("few tunnels");
        let tunnel = Tunnel {
            user: format!("user {id}"),
            source: [45, 33, 100, 1].into(),
            destination: [9, 1, 0, last].into(),
            overlay: Ipv4Net::new([169, 254, 0, 2 * last].into(), 31).expect("a valid length"),
            mtu: TUNNEL_MTU,
            ttl: DEVICE_TTL,
            shut,
            service: Service::Multicast { source: None, publish: BTreeSet::new(), subscribe: BTreeSet::new() },
        };
        (id, tunnel)
    }

    fn config(tunnels: impl IntoIterator<Item = (u16, Tunnel)>) -> DeviceConfig {
        DeviceConfig {
            device: "nyc1".to_owned(),
            state: DeviceState::Serving,
            public_ip: [9, 0, 0, 1].into(),
            loopbacks: BTreeMap::new(),
            ports: BTreeMap::new(),
            tunnels: tunnels.into_iter().collect(),
            tables: BTreeMap::new(),
            transit: BTreeMap::new(),
            groups: Vec::new(),
        }
    }

    fn name(text: &str) -> IfName {
        text.parse().expect("a valid name")
    }

    /// A config with a link on Ethernet1, which carries the way to one address.
    fn with_link() -> DeviceConfig {
        let mut config = config([]);
        let gateway = [172, 16, 0, 1].into();
        let link = LinkPort {
            code: "nyc1-pit1".to_owned(),
            peer: "pit1".to_owned(),
            gateway,
            metric: 1,
            state: LinkState::Active,
        };
        let address = Some("172.16.0.0/31".parse().expect("a network"));
        let port = Port { name: "Ethernet1".to_owned(), address, endpoint: false, link: Some(link) };
        config.ports.insert(name("Ethernet1"), port);
        config.transit.insert([9, 1, 0, 1].into(), NextHop::Link { port: name("Ethernet1"), gateway });
        config
    }

    /// A machine with these interfaces, on which the device's public address is seen to.
    fn host(interfaces: impl IntoIterator<Item = (IfName, bool)>) -> Host {
        let addresses = BTreeSet::from([[9, 0, 0, 1].into()]);
        Host { interfaces: interfaces.into_iter().collect(), addresses, uplink: None }
    }

    #[test]
    fn more_multicast_tunnels_than_the_kernel_has_numbers_for_are_named() {
        let mut config = config((500..540).map(|id| tunnel(id, false)));
        let route = |from, to: Vec<GroupEnd>| GroupRoute {
            source: [148, 51, 120, 0].into(),
            group: [233, 84, 178, 0].into(),
            code: "mg01".to_owned(),
            from,
            to: to.into_iter().collect(),
        };
        let mut to: Vec<GroupEnd> = (500..539).map(GroupEnd::Tunnel).collect();
        to.push(GroupEnd::Port(name("Ethernet1")));
        config.groups.push(route(GroupEnd::Tunnel(539), to));
        // Of this one nothing is left.
        let other = route(GroupEnd::Tunnel(539), vec![GroupEnd::Tunnel(538)]);
        config.groups.push(GroupRoute { group: [233, 84, 178, 1].into(), ..other });
        let desired = desired(&config, &host([(name("Ethernet1"), true)]));
        let ways: Vec<_> = desired.state.groups.into_values().collect();
        let mut kept: BTreeSet<IfName> = (500..530).map(IfName::of_tunnel).collect();
        kept.insert(name("Ethernet1"));
        assert_eq!(ways, [Forwarding { from: IfName::of_tunnel(539), to: kept }]);
        let lacking: Vec<_> = (530..539)
            .map(|id| format!("tun{id} has no part in group traffic: the kernel takes 32 interfaces"))
            .collect();
        assert_eq!(desired.lacking, lacking);
    }

    #[test]
    fn a_public_address_goes_onto_the_uplink_or_is_lacking() {
        let alone = Host { addresses: BTreeSet::new(), ..host([]) };
        let lacking = desired(&config([]), &alone).lacking;
        assert_eq!(lacking, ["no way to the internet, and so no interface for 9.0.0.1"]);

        let uplink = Host { uplink: Some((name("Ethernet0"), None)), ..alone };
        let found = desired(&config([]), &uplink);
        let net = Ipv4Net::from(Ipv4Addr::from([9, 0, 0, 1]));
        let on_uplink = Address { interface: name("Ethernet0"), net };
        assert_eq!(found.state.addresses, BTreeSet::from([on_uplink.clone()]));
        assert_eq!(found.lacking, Vec::<String>::new());

        // A loopback may have it; one with another address does not stand in its way.
        let with_loopback = |address: [u8; 4]| {
            let mut config = config([]);
            let loopback = Loopback { address: Some(address.into()), endpoint: true };
            config.loopbacks.insert(name("Loopback100"), loopback);
            desired(&config, &uplink).state.addresses
        };
        let on_loopback =
            |address: [u8; 4]| Address { interface: name("Loopback100"), net: Ipv4Net::from(Ipv4Addr::from(address)) };
        assert_eq!(with_loopback([9, 0, 0, 1]), BTreeSet::from([on_loopback([9, 0, 0, 1])]));
        assert_eq!(with_loopback([45, 33, 100, 1]), BTreeSet::from([on_loopback([45, 33, 100, 1]), on_uplink]));
    }

    #[test]
    fn nothing_is_made_for_a_tunnel_that_is_shut() {
        let with = desired(&config([tunnel(500, false), tunnel(501, true)]), &Host::default());
        assert_eq!(with, desired(&config([tunnel(500, false)]), &Host::default()));
    }

    /// A tunnel of a user of edge filtering, of VRF 3.
    fn filtered(shut: bool) -> (u16, Tunnel) {
        let (id, tunnel) = tunnel(500, shut);
        (id, Tunnel { service: Service::EdgeFiltering { vrf: 3, dz_ip: [148, 51, 0, 1].into() }, ..tunnel })
    }

    #[test]
    fn an_address_of_edge_filtering_has_its_tenants_table_and_the_internets() {
        let rules = desired(&config([filtered(false)]), &host([])).state.rules;
        let address = Some(Ipv4Addr::new(148, 51, 0, 1));
        let rule = |priority, interface: &str, from, to, table| Rule {
            priority,
            interface: interface.to_owned(),
            from,
            to,
            table,
        };
        let expected = BTreeSet::from([
            rule(TUNNEL_REFUSE, "tun500", None, None, None),
            rule(TUNNEL_RULE, "tun500", address, None, Some(VRF_TABLES + 3)),
            rule(INTERNET_RULE, "tun500", address, None, Some(INTERNET_TABLE)),
            rule(LOCAL_RULE, "lo", None, address, Some(VRF_TABLES + 3)),
        ]);
        assert_eq!(rules, expected);
    }

    #[test]
    fn who_filters_at_the_edge_has_a_way_to_the_internet_or_lacks_it() {
        let lacking = ["no way to the internet for edge filtering"];
        assert_eq!(desired(&config([filtered(false)]), &host([])).lacking, lacking);
        let gateway = Some(Ipv4Addr::new(9, 0, 0, 254));
        let uplink = Host { uplink: Some((name("Ethernet0"), gateway)), ..host([]) };
        let way = |tunnel| {
            let key = RouteKey { table: INTERNET_TABLE, destination: Ipv4Net::default() };
            let found = desired(&config([tunnel]), &uplink);
            assert_eq!(found.lacking, Vec::<String>::new());
            found.state.routes.get(&key).cloned()
        };
        assert_eq!(way(filtered(false)), Some(Route { interface: name("Ethernet0"), gateway, own: true }));
        // Nobody else is to have it.
        assert_eq!((way(filtered(true)), way(tunnel(501, false))), (None, None));
        assert_eq!(desired(&config([filtered(true)]), &host([])).lacking, Vec::<String>::new());
    }

    #[test]
    fn a_port_without_a_carrier_fails_its_link_and_carries_no_route() {
        let with_port = |up| desired(&with_link(), &host([(name("Ethernet1"), up)]));
        let (up, down) = (with_port(true), with_port(false));
        assert_eq!((up.state.routes.len(), up.failed_links.len()), (1, 0));
        assert_eq!(down.failed_links, BTreeSet::from(["nyc1-pit1".to_owned()]));
        assert_eq!(down.state, State { routes: BTreeMap::new(), ..up.state });
        assert_eq!((up.lacking, down.lacking), (vec![], vec![]));
    }

    #[test]
    fn a_port_that_is_not_there_is_lacking_unless_its_address_is_elsewhere() {
        let absent = desired(&with_link(), &host([]));
        assert_eq!(absent.lacking, ["port Ethernet1 of interface Ethernet1 is not there"]);
        assert_eq!(absent.failed_links, BTreeSet::from(["nyc1-pit1".to_owned()]));

        // The uplink has another name in the kernel, and its address from who built the machine.
        let mut config = with_link();
        config.ports.values_mut().for_each(|port| port.link = None);
        let mut host = host([]);
        host.addresses.insert([172, 16, 0, 0].into());
        assert_eq!(desired(&config, &host).lacking, Vec::<String>::new());
    }
}

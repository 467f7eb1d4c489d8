//! The agent's part of the kernel's listing, in the agent's terms. Pure.
//!
//! What is ours is known by marks that survive the agent: routes, rules and addresses carry a protocol number, a
//! loopback carries an alias, a tunnel has a name of ours and was made by the tunnels' maker.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_net::{
    filter::IngressPolicy,
    gre::TunnelSpec,
    kernel::{AddrInfo, LinkInfo, RTPROT_DZ, RouteInfo, RouteKind, RuleAction, RuleInfo, TABLE_MAIN},
    mroute::MulticastRoute,
};

use super::{
    desired::Host,
    state::{Address, Flow, Forwarding, Ingress, Link, Outer, Route, RouteKey, Rule, State},
};
use crate::config::{IfName, TUNNEL_MTU};

/// The mark on a loopback.
pub(super) const ALIAS: &str = "made by dz-agent";

/// The whole listing.
pub(super) struct Everything {
    pub(super) links: Vec<LinkInfo>,
    pub(super) tunnels: BTreeMap<String, Outer>,
    pub(super) addresses: Vec<AddrInfo>,
    pub(super) routes: Vec<RouteInfo>,
    pub(super) rules: Vec<RuleInfo>,
    pub(super) policies: BTreeMap<String, IngressPolicy>,
    pub(super) multicast: Vec<MulticastRoute>,
}

impl Everything {
    fn names(&self) -> BTreeMap<u32, IfName> {
        self.links.iter().filter_map(|link| Some((link.index, link.name.parse().ok()?))).collect()
    }

    pub(super) fn host(&self) -> Host {
        let foreign = self.addresses.iter().filter(|address| address.protocol != RTPROT_DZ);
        Host {
            interfaces: self
                .links
                .iter()
                .filter_map(|link| Some((link.name.parse().ok()?, link.up && link.running)))
                .collect(),
            addresses: foreign.map(|address| address.address.addr()).collect(),
            uplink: self.uplink(),
        }
    }

    /// The best default route of the main table.
    fn uplink(&self) -> Option<(IfName, Option<Ipv4Addr>)> {
        let names = self.names();
        let default = |route: &&RouteInfo| {
            route.table == TABLE_MAIN && route.destination.prefix_len() == 0 && route.protocol != RTPROT_DZ
        };
        let best = self.routes.iter().filter(default).min_by_key(|route| route.metric)?;
        Some((names.get(&best.dev?)?.clone(), best.via))
    }

    /// What of it the agent answers for: what carries its mark, and what stands where something wanted has to be.
    pub(super) fn state(&self, wanted: &State) -> State {
        let names = self.names();
        let links = self.links.iter().filter_map(|link| {
            let name: IfName = link.name.parse().ok()?;
            let is = self.link(link, &name)?;
            Some((name, is))
        });
        let mut addresses = BTreeSet::new();
        for address in &self.addresses {
            let Some(name) = names.get(&address.index) else { continue };
            let is = Address { interface: name.clone(), net: address.address };
            if address.protocol == RTPROT_DZ || wanted.addresses.contains(&is) {
                addresses.insert(is);
            }
        }
        let routes = self.routes.iter().filter_map(|route| {
            let (key, is) = read_route(route, &names)?;
            (is.own || wanted.routes.contains_key(&key)).then_some((key, is))
        });
        State {
            sysctls: BTreeMap::new(),
            links: links.collect(),
            addresses,
            routes: routes.collect(),
            rules: self.rules.iter().filter_map(read_rule).collect(),
            ingress: self.policies.values().filter_map(read_policy).collect(),
            groups: self.multicast.iter().filter_map(|route| read_multicast(route, &names)).collect(),
        }
    }

    fn link(&self, link: &LinkInfo, name: &IfName) -> Option<Link> {
        if let Some(outer) = self.tunnels.get(&link.name)
            && name.is_tunnel()
        {
            return Some(Link::Tunnel { outer: *outer, up: link.up });
        }
        let ours = holds_addresses(link) && link.alias.as_deref() == Some(ALIAS);
        ours.then_some(Link::Loopback { up: link.up })
    }
}

/// True for the kinds that loopbacks are made of.
pub(super) fn holds_addresses(link: &LinkInfo) -> bool {
    matches!(link.kind.as_deref(), Some("dummy" | "bridge"))
}

pub(super) fn outer(spec: &TunnelSpec) -> Outer {
    Outer { local: spec.local, remote: spec.remote, ttl: spec.ttl, mtu: TUNNEL_MTU }
}

/// A route of the form the agent makes; others cannot be mistaken for the agent's.
fn read_route(route: &RouteInfo, names: &BTreeMap<u32, IfName>) -> Option<(RouteKey, Route)> {
    if route.metric != 0 || !matches!(route.kind, RouteKind::Unicast) {
        return None;
    }
    let interface = names.get(&route.dev?)?.clone();
    let key = RouteKey { table: route.table, destination: route.destination };
    Some((key, Route { interface, gateway: route.via, own: route.protocol == RTPROT_DZ }))
}

fn read_rule(rule: &RuleInfo) -> Option<Rule> {
    if rule.protocol != RTPROT_DZ {
        return None;
    }
    let table = match rule.action {
        RuleAction::Lookup(table) => Some(table),
        _ => None,
    };
    Some(Rule {
        priority: rule.priority,
        interface: rule.iif.clone().unwrap_or_default(),
        from: rule.from.map(|net| net.addr()),
        to: rule.to.map(|net| net.addr()),
        table,
    })
}

/// The filter's table is the agent's alone; a policy of another form is in it only by hand, and never as wanted.
fn read_policy(policy: &IngressPolicy) -> Option<(IfName, Ingress)> {
    let sources = policy.sources.iter().map(|net| net.addr()).collect();
    Some((policy.interface.parse().ok()?, Ingress { sources, groups: policy.groups.clone() }))
}

fn read_multicast(route: &MulticastRoute, names: &BTreeMap<u32, IfName>) -> Option<(Flow, Forwarding)> {
    let from = names.get(&route.incoming)?.clone();
    let to = route.outgoing.iter().filter_map(|index| names.get(index).cloned()).collect();
    Some((Flow { group: route.group, source: route.source }, Forwarding { from, to }))
}

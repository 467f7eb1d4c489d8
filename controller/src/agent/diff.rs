//! The changes that lead from one kernel state to another, in an order that breaks nothing which stays. Pure.
//!
//! What is alike on both sides is not touched. Rules and filters stand before the tunnels they watch and go after them,
//! so at no moment does a tunnel carry what it must not. A route that only leads elsewhere is replaced in one step.
//!
//! New addresses come before old ones go: the kernel forgets all routes of an interface that loses its last address
//! (`fib_disable_ip`), and an endpoint that moves to another loopback is the device's all the while.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::state::{Address, Flow, Forwarding, Ingress, Link, Outer, Route, RouteKey, Rule, State};
use crate::config::IfName;

/// One change, one request to the kernel or to the tunnels' maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a kernel parameter.
    SetSysctl {
        /// Its path below `/proc/sys`.
        path: String,
        /// Its value.
        value: String,
    },
    /// Removes a tunnel, and with it its addresses and routes.
    DeleteTunnel(IfName),
    /// Removes an address.
    DeleteAddress(Address),
    /// Removes a loopback, and with it its addresses.
    DeleteLoopback(IfName),
    /// Removes a route.
    DeleteRoute(RouteKey, Route),
    /// Removes a rule.
    DeleteRule(Rule),
    /// Adds a rule.
    AddRule(Rule),
    /// Makes a loopback, down.
    AddLoopback(IfName),
    /// Makes a tunnel, up.
    CreateTunnel(IfName, Outer),
    /// Puts an address on an interface.
    AddAddress(Address),
    /// Sets an interface up.
    SetUp(IfName),
    /// Puts a route in the place of whatever has its key, or where there is none.
    PutRoute(RouteKey, Route),
    /// Makes this all that is said about what may come in; what stays the same keeps its counters.
    SetIngress(BTreeMap<IfName, Ingress>),
    /// Makes this all that is said about group traffic; what stays the same is not interrupted.
    SetGroups(BTreeMap<Flow, Forwarding>),
}

/// The changes from `actual` to `desired`.
pub fn diff(desired: &State, actual: &State) -> Vec<Change> {
    let mut changes = Vec::new();
    for (path, value) in &desired.sysctls {
        if actual.sysctls.get(path) != Some(value) {
            changes.push(Change::SetSysctl { path: path.clone(), value: value.clone() });
        }
    }

    let doomed = doomed(desired, actual);
    let is_tunnel = |name: &IfName| matches!(actual.links.get(name), Some(Link::Tunnel { .. }));
    let (tunnels, loopbacks): (Vec<&IfName>, Vec<&IfName>) = doomed.iter().copied().partition(|name| is_tunnel(name));
    changes.extend(tunnels.into_iter().cloned().map(Change::DeleteTunnel));
    // A name that is needed for something else has to be free; every other loopback goes after its heir has come.
    let (early, late): (Vec<&IfName>, Vec<&IfName>) =
        loopbacks.into_iter().partition(|name| desired.links.contains_key(*name));
    changes.extend(early.into_iter().cloned().map(Change::DeleteLoopback));
    // What goes with its interface need not be removed, and has to be put again if it is still wanted.
    let gone = |route: &Route| doomed.contains(&route.interface);
    for (key, route) in actual.routes.iter().filter(|(_, route)| !gone(route)) {
        if !desired.routes.contains_key(key) {
            changes.push(Change::DeleteRoute(key.clone(), route.clone()));
        }
    }
    changes.extend(actual.rules.difference(&desired.rules).cloned().map(Change::DeleteRule));

    changes.extend(desired.rules.difference(&actual.rules).cloned().map(Change::AddRule));
    if desired.ingress != actual.ingress {
        changes.push(Change::SetIngress(desired.ingress.clone()));
    }
    let unwanted: Vec<&Address> = actual
        .addresses
        .difference(&desired.addresses)
        .filter(|address| !doomed.contains(&address.interface))
        .collect();
    let (early, old): (Vec<&Address>, Vec<&Address>) =
        unwanted.into_iter().partition(|address| is_in_the_way(address, desired, actual));
    changes.extend(early.into_iter().cloned().map(Change::DeleteAddress));
    // Endpoints' addresses come before the tunnels that use them.
    for loopbacks in [true, false] {
        for (name, link) in &desired.links {
            let new = doomed.contains(name) || !actual.links.contains_key(name);
            let wanted = match link {
                Link::Loopback { .. } if loopbacks => Change::AddLoopback(name.clone()),
                Link::Tunnel { outer, .. } if !loopbacks => Change::CreateTunnel(name.clone(), *outer),
                _ => continue,
            };
            let mut up = actual.links.get(name).is_some_and(Link::is_up);
            if new {
                up = matches!(wanted, Change::CreateTunnel(..));
                changes.push(wanted);
            }
            let missing = |address: &&Address| new || !actual.addresses.contains(address);
            let addresses = desired.addresses.iter().filter(|address| address.interface == *name);
            changes.extend(addresses.filter(missing).cloned().map(Change::AddAddress));
            if !up {
                changes.push(Change::SetUp(name.clone()));
            }
        }
    }
    let on_port = |address: &&Address| !desired.links.contains_key(&address.interface);
    changes.extend(desired.addresses.difference(&actual.addresses).filter(on_port).cloned().map(Change::AddAddress));
    changes.extend(old.into_iter().cloned().map(Change::DeleteAddress));
    changes.extend(late.into_iter().cloned().map(Change::DeleteLoopback));
    for (key, route) in &desired.routes {
        let lost = |known: &Route| gone(known) || loses_its_routes(&known.interface, desired, actual);
        if actual.routes.get(key).is_none_or(|known| known != route || lost(known)) {
            changes.push(Change::PutRoute(key.clone(), route.clone()));
        }
    }
    if desired.groups != groups_without(&doomed, actual) {
        changes.push(Change::SetGroups(desired.groups.clone()));
    }
    changes
}

/// Whether an interface that stays is without any address at some time, though it had one.
fn loses_its_routes(name: &IfName, desired: &State, actual: &State) -> bool {
    let of = |state: &'_ State| -> BTreeSet<Address> {
        state.addresses.iter().filter(|address| address.interface == *name).cloned().collect()
    };
    let (wanted, is) = (of(desired), of(actual));
    let all_go = !is.is_empty() && is.is_disjoint(&wanted);
    all_go && (wanted.is_empty() || is.iter().all(|address| is_in_the_way(address, desired, actual)))
}

/// Whether an address has to go before a new one of the same network on the same interface comes: the kernel would make
/// that a secondary one, and remove it with the primary.
fn is_in_the_way(old: &Address, desired: &State, actual: &State) -> bool {
    let mut new = desired.addresses.difference(&actual.addresses);
    new.any(|new| new.interface == old.interface && new.net.trunc() == old.net.trunc())
}

/// The ways of group traffic that are left when these interfaces are gone.
fn groups_without(doomed: &BTreeSet<&IfName>, actual: &State) -> BTreeMap<Flow, Forwarding> {
    let mut left = State { groups: actual.groups.clone(), ..State::default() };
    doomed.iter().for_each(|name| left.forget_interface(name));
    left.groups
}

/// Interfaces that cannot stay: not wanted any more, or wanted as something they cannot be changed into.
fn doomed<'a>(desired: &State, actual: &'a State) -> BTreeSet<&'a IfName> {
    let stays = |name: &IfName, link: &Link| match (link, desired.links.get(name)) {
        (Link::Loopback { .. }, Some(Link::Loopback { .. })) => true,
        (Link::Tunnel { outer, .. }, Some(Link::Tunnel { outer: wanted, .. })) => {
            (outer.local, outer.remote, outer.ttl) == (wanted.local, wanted.remote, wanted.ttl)
        }
        _ => false,
    };
    actual.links.iter().filter(|(name, link)| !stays(name, link)).map(|(name, _)| name).collect()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetSysctl { path, value } => write!(f, "set {path} to {value}"),
            Self::DeleteTunnel(name) => write!(f, "delete tunnel {name}"),
            Self::DeleteAddress(address) => write!(f, "delete address {} of {}", address.net, address.interface),
            Self::DeleteLoopback(name) => write!(f, "delete loopback {name}"),
            Self::DeleteRoute(key, _) => write!(f, "delete route to {} of table {}", key.destination, key.table),
            Self::DeleteRule(rule) => write!(f, "delete {rule}"),
            Self::AddRule(rule) => write!(f, "add {rule}"),
            Self::AddLoopback(name) => write!(f, "add loopback {name}"),
            Self::CreateTunnel(name, outer) => {
                write!(f, "create tunnel {name} from {} to {}", outer.local, outer.remote)
            }
            Self::AddAddress(address) => write!(f, "add address {} to {}", address.net, address.interface),
            Self::SetUp(name) => write!(f, "set {name} up"),
            Self::PutRoute(key, route) => {
                write!(f, "put route to {} of table {} by {}", key.destination, key.table, route.interface)
            }
            Self::SetIngress(ingress) => write!(f, "set what may come in by {} interfaces", ingress.len()),
            Self::SetGroups(groups) => write!(f, "set the ways of {} group flows", groups.len()),
        }
    }
}

//! From what there is to what should be: an ordered list of changes, pure.
//!
//! Everything is keyed by interface, so that one service's change never touches another's. What goes, goes before
//! what comes, because a name or an address pair may move; a tunnel whose outer pair is right is never remade.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;

use super::desired::DesiredTunnel;

/// One tunnel interface as the kernel has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActualTunnel {
    /// Outer (source, destination).
    pub pair: Option<(Ipv4Addr, Ipv4Addr)>,
    /// True when it is up.
    pub up: bool,
    /// Its addresses.
    pub addresses: BTreeSet<Ipv4Net>,
    /// Routes of ours out of it: destination and source.
    pub routes: BTreeMap<Ipv4Net, Option<Ipv4Addr>>,
    /// Groups joined on it.
    pub memberships: BTreeSet<Ipv4Addr>,
}

/// Everything the daemon looks after, by interface name.
pub type Actual = BTreeMap<String, ActualTunnel>;

/// One change to the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Removes a tunnel with all it has.
    Delete {
        /// The interface.
        name: String,
    },
    /// Makes a tunnel.
    Create {
        /// The interface.
        name: String,
        /// Outer source.
        local: Ipv4Addr,
        /// Outer destination.
        remote: Ipv4Addr,
    },
    /// Sets it up.
    Up {
        /// The interface.
        name: String,
    },
    /// Removes an address.
    RemoveAddress {
        /// The interface.
        name: String,
        /// The address.
        address: Ipv4Net,
    },
    /// Adds an address.
    AddAddress {
        /// The interface.
        name: String,
        /// The address.
        address: Ipv4Net,
        /// True for the overlay address, which must never become the source of other traffic.
        link_scope: bool,
    },
    /// Removes a route.
    RemoveRoute {
        /// The interface.
        name: String,
        /// Its destination.
        destination: Ipv4Net,
    },
    /// Adds or replaces a route.
    SetRoute {
        /// The interface.
        name: String,
        /// Its destination.
        destination: Ipv4Net,
        /// The source of what takes it.
        source: Ipv4Addr,
    },
    /// Leaves a group.
    Leave {
        /// The interface.
        name: String,
        /// The group.
        group: Ipv4Addr,
    },
    /// Joins a group.
    Join {
        /// The interface.
        name: String,
        /// The group.
        group: Ipv4Addr,
    },
}

/// The addresses a tunnel should have, and whether each is of link scope.
fn addresses(tunnel: &DesiredTunnel) -> BTreeMap<Ipv4Net, bool> {
    let mut addresses = BTreeMap::from([(tunnel.overlay, true)]);
    if tunnel.holds_dz_ip() {
        addresses.insert(Ipv4Net::from(tunnel.dz_ip), false);
    }
    addresses
}

/// The routes a tunnel should have, with their sources.
fn routes(tunnel: &DesiredTunnel) -> BTreeMap<Ipv4Net, Ipv4Addr> {
    let groups = tunnel.publish.keys().chain(tunnel.subscribe.keys());
    tunnel.peers.iter().chain(groups).map(|address| (Ipv4Net::from(*address), tunnel.dz_ip)).collect()
}

/// What to do, in order, so that the kernel has what is desired. Empty when it has.
pub fn changes(desired: &BTreeMap<String, DesiredTunnel>, actual: &Actual) -> Vec<Change> {
    let mut removals = Vec::new();
    let mut additions = Vec::new();
    for (name, have) in actual {
        let right = desired.get(name).is_some_and(|want| have.pair == Some((want.local, want.remote)));
        if !right {
            removals.push(Change::Delete { name: name.clone() });
        }
    }
    for (name, want) in desired {
        let name = name.clone();
        let kept = actual.get(&name).filter(|have| have.pair == Some((want.local, want.remote)));
        if kept.is_none() {
            additions.push(Change::Create { name: name.clone(), local: want.local, remote: want.remote });
        }
        let have = kept.cloned().unwrap_or_default();
        tunnel_changes(&name, want, &have, &mut removals, &mut additions);
    }
    removals.append(&mut additions);
    removals
}

fn tunnel_changes(
    name: &str,
    want: &DesiredTunnel,
    have: &ActualTunnel,
    removals: &mut Vec<Change>,
    additions: &mut Vec<Change>,
) {
    let name = name.to_owned();
    let (want_addresses, want_routes) = (addresses(want), routes(want));
    for group in have.memberships.iter().filter(|group| !want.subscribe.contains_key(group)) {
        removals.push(Change::Leave { name: name.clone(), group: *group });
    }
    for destination in have.routes.keys().filter(|destination| !want_routes.contains_key(destination)) {
        removals.push(Change::RemoveRoute { name: name.clone(), destination: *destination });
    }
    for address in have.addresses.iter().filter(|address| !want_addresses.contains_key(address)) {
        removals.push(Change::RemoveAddress { name: name.clone(), address: *address });
    }
    for (address, link_scope) in want_addresses {
        if !have.addresses.contains(&address) {
            additions.push(Change::AddAddress { name: name.clone(), address, link_scope });
        }
    }
    if !have.up {
        additions.push(Change::Up { name: name.clone() });
    }
    for (destination, source) in want_routes {
        if have.routes.get(&destination) != Some(&Some(source)) {
            additions.push(Change::SetRoute { name: name.clone(), destination, source });
        }
    }
    for group in want.subscribe.keys().filter(|group| !have.memberships.contains(group)) {
        additions.push(Change::Join { name: name.clone(), group: *group });
    }
}

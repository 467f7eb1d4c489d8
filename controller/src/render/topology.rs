//! The backbone as a graph, and shortest-path trees over it. It knows links and delays, and no users.
//!
//! All devices of one view compute over the same graph with the same tie-breaks, so what each finds for itself fits
//! together: along a tree every hop is strictly nearer to the root, and no loop can form.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    net::Ipv4Addr,
};

use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, Link, LinkStatus},
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use crate::config::LinkState;

/// The way's length: links of last resort first, so that one is taken only where there is no way without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    last_resort: u32,
    delay_ns: u64,
}

impl Cost {
    fn plus(self, edge: &Edge) -> Self {
        Self {
            last_resort: self.last_resort + u32::from(edge.state == LinkState::LastResort),
            delay_ns: self.delay_ns.saturating_add(edge.delay_ns),
        }
    }
}

/// A device's place among all devices in the order of their codes.
pub(crate) type Place = usize;

/// A link as seen from one of its ends.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    /// The link.
    pub(crate) link: Pubkey,
    /// Its code.
    pub(crate) code: String,
    /// The interface at this end.
    pub(crate) interface: Pubkey,
    /// The device at the far end.
    pub(crate) peer: Place,
    /// This end's address in the link's network.
    pub(crate) address: Ipv4Net,
    /// The far end's address.
    pub(crate) gateway: Ipv4Addr,
    /// One way.
    pub(crate) delay_ns: u64,
    /// Whether it carries traffic.
    pub(crate) state: LinkState,
}

/// How a device is reached from the root of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hop {
    cost: Cost,
    /// The device before it on the way from the root.
    pub(crate) parent: Place,
    /// Which of that device's edges leads here.
    edge: usize,
}

/// Shortest ways from one device to all others: for each place how it is reached, none for the root and for what cannot
/// be reached.
pub(crate) struct Tree(Vec<Option<Hop>>);

impl Tree {
    /// How a device is reached.
    pub(crate) fn hop(&self, place: Place) -> Option<Hop> {
        self.0.get(place).copied().flatten()
    }
}

/// All links with a network, by the device they end at.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    devices: Vec<Pubkey>,
    places: BTreeMap<Pubkey, Place>,
    /// By place; the edges of a device are in the order of their links' codes.
    edges: Vec<Vec<Edge>>,
}

impl Topology {
    /// The backbone of a view, in which `failed` links carry nothing.
    pub(crate) fn of(view: &NetworkView, failed: &BTreeSet<Pubkey>) -> Self {
        let mut devices: Vec<Pubkey> = view.devices().keys().copied().collect();
        devices.sort_by_key(|key| view.device(key).map(|device| &device.code));
        let places: BTreeMap<Pubkey, Place> = devices.iter().enumerate().map(|(place, key)| (*key, place)).collect();
        let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); devices.len()];
        for (key, link) in view.links() {
            let (Some(state), Some(network)) = (state(view, link, failed.contains(key)), link.network) else {
                continue;
            };
            let (Some(a), Some(z)) = (network.net.address(0), network.net.address(1)) else { continue };
            for (near, far, address, gateway) in [(link.side_a, link.side_z, a, z), (link.side_z, link.side_a, z, a)] {
                let (Some(near_place), Some(peer)) = (places.get(&near.device), places.get(&far.device)) else {
                    continue;
                };
                edges[*near_place].push(Edge {
                    link: *key,
                    code: link.code.clone(),
                    interface: near.interface,
                    peer: *peer,
                    address: Ipv4Net::new_assert(address, network.net.prefix_len()),
                    gateway,
                    delay_ns: link.delay_ns,
                    state,
                });
            }
        }
        edges.iter_mut().for_each(|edges| edges.sort_by(|a, b| a.code.cmp(&b.code)));
        Self { devices, places, edges }
    }

    /// Where a device stands.
    pub(crate) fn place(&self, device: &Pubkey) -> Option<Place> {
        self.places.get(device).copied()
    }

    /// The device of a place.
    pub(crate) fn device(&self, place: Place) -> Option<&Pubkey> {
        self.devices.get(place)
    }

    /// The links that end at a device, whether or not they carry traffic.
    pub(crate) fn edges(&self, place: Place) -> &[Edge] {
        self.edges.get(place).map_or(&[], Vec::as_slice)
    }

    /// The edge by which a hop leaves its parent.
    pub(crate) fn edge(&self, hop: Hop) -> Option<&Edge> {
        self.edges(hop.parent).get(hop.edge)
    }

    /// Shortest ways from `root` (Dijkstra). Of ways with the same cost the one whose last device and then last link has
    /// the lowest code is taken, so that every device that computes the tree of this root gets the same.
    pub(crate) fn tree(&self, root: Place) -> Tree {
        let mut hops: Vec<Option<Hop>> = vec![None; self.devices.len()];
        let mut done = vec![false; self.devices.len()];
        let mut queue = BinaryHeap::from([Reverse((Cost::default(), root))]);
        while let Some(Reverse((cost, parent))) = queue.pop() {
            if std::mem::replace(&mut done[parent], true) {
                continue;
            }
            for (number, edge) in self.edges(parent).iter().enumerate() {
                if !edge.state.carries() || done[edge.peer] {
                    continue;
                }
                let hop = Hop { cost: cost.plus(edge), parent, edge: number };
                if hops[edge.peer].is_none_or(|known| hop < known) {
                    queue.push(Reverse((hop.cost, edge.peer)));
                    hops[edge.peer] = Some(hop);
                }
            }
        }
        Tree(hops)
    }

    /// The first link on the way from the tree's root to each device, nearest device first, then by code.
    pub(crate) fn first_links(&self, root: Place, tree: &Tree) -> Vec<(Pubkey, &Edge)> {
        let reached = self.devices.iter().enumerate().filter_map(|(place, key)| Some((tree.hop(place)?, place, *key)));
        let mut order: Vec<(Hop, Place, Pubkey)> = reached.collect();
        order.sort_by_key(|(hop, place, _)| (hop.cost, *place));
        // A device's parent is nearer to the root, so its first link is known by then.
        let mut first: Vec<Option<&Edge>> = vec![None; self.devices.len()];
        let mut links = Vec::with_capacity(order.len());
        for (hop, place, key) in order {
            let edge = if hop.parent == root { self.edge(hop) } else { first[hop.parent] };
            first[place] = edge;
            links.extend(edge.map(|edge| (key, edge)));
        }
        links
    }
}

/// What a link is to the backbone; none while it has no network or is being removed.
fn state(view: &NetworkView, link: &Link, failed: bool) -> Option<LinkState> {
    let drained = [link.side_a.device, link.side_z.device]
        .iter()
        .any(|device| view.device(device).is_some_and(|device| device.status == DeviceStatus::Drained));
    match link.status {
        LinkStatus::Requested | LinkStatus::Pending | LinkStatus::Deleting => None,
        LinkStatus::HardDrained => Some(LinkState::Closed),
        LinkStatus::Activated | LinkStatus::SoftDrained if failed => Some(LinkState::Failed),
        LinkStatus::SoftDrained => Some(LinkState::LastResort),
        LinkStatus::Activated if drained => Some(LinkState::LastResort),
        LinkStatus::Activated => Some(LinkState::Active),
    }
}

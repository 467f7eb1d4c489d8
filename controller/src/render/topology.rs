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
    program::state::{DeviceStatus, Link, LinkEnd, LinkStatus},
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
    pub(crate) peer: Pubkey,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    cost: Cost,
    /// The device before it on the way from the root.
    pub(crate) parent: Pubkey,
    /// The link between the two.
    pub(crate) link: Pubkey,
}

/// Shortest ways from one device to all others that can be reached; the root itself is not in it.
pub(crate) type Tree = BTreeMap<Pubkey, Hop>;

/// All links with a network, by the device they end at.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    edges: BTreeMap<Pubkey, Vec<Edge>>,
    codes: BTreeMap<Pubkey, String>,
}

impl Topology {
    /// The backbone of a view, in which `failed` links carry nothing.
    pub(crate) fn of(view: &NetworkView, failed: &BTreeSet<Pubkey>) -> Self {
        let mut edges: BTreeMap<Pubkey, Vec<Edge>> = BTreeMap::new();
        for (key, link) in view.links() {
            let (Some(state), Some(network)) = (state(view, link, failed.contains(key)), link.network) else {
                continue;
            };
            let (Some(a), Some(z)) = (network.net.address(0), network.net.address(1)) else { continue };
            for (near, far, address, gateway) in [(link.side_a, link.side_z, a, z), (link.side_z, link.side_a, z, a)] {
                let LinkEnd { device, interface } = near;
                edges.entry(device).or_default().push(Edge {
                    link: *key,
                    code: link.code.clone(),
                    interface,
                    peer: far.device,
                    address: Ipv4Net::new_assert(address, network.net.prefix_len()),
                    gateway,
                    delay_ns: link.delay_ns,
                    state,
                });
            }
        }
        let codes = view.devices().iter().map(|(key, device)| (*key, device.code.clone())).collect();
        Self { edges, codes }
    }

    /// The links that end at a device, whether or not they carry traffic.
    pub(crate) fn edges(&self, device: &Pubkey) -> &[Edge] {
        self.edges.get(device).map_or(&[], Vec::as_slice)
    }

    /// The edge by which a device is on this link.
    pub(crate) fn edge(&self, device: &Pubkey, link: &Pubkey) -> Option<&Edge> {
        self.edges(device).iter().find(|edge| edge.link == *link)
    }

    /// Shortest ways from `root` (Dijkstra). Of ways with the same cost the one whose last device and then last link has
    /// the lowest code is taken, so that every device that computes the tree of this root gets the same.
    pub(crate) fn tree(&self, root: &Pubkey) -> Tree {
        let mut tree = Tree::new();
        let mut done = BTreeSet::new();
        let mut queue = BinaryHeap::from([Reverse((Cost::default(), *root))]);
        while let Some(Reverse((cost, device))) = queue.pop() {
            if !done.insert(device) {
                continue;
            }
            for edge in self.edges(&device).iter().filter(|edge| edge.state.carries() && edge.peer != *root) {
                let hop = Hop { cost: cost.plus(edge), parent: device, link: edge.link };
                let better = tree.get(&edge.peer).is_none_or(|known| self.rank(&hop) < self.rank(known));
                if better {
                    queue.push(Reverse((hop.cost, edge.peer)));
                    tree.insert(edge.peer, hop);
                }
            }
        }
        tree
    }

    fn rank(&self, hop: &Hop) -> (Cost, Option<&String>, Option<&String>) {
        let link = self.edge(&hop.parent, &hop.link).map(|edge| &edge.code);
        (hop.cost, self.codes.get(&hop.parent), link)
    }

    /// The first link on the way from the tree's root to each device, nearest device first, then by code.
    pub(crate) fn first_links(&self, root: &Pubkey, tree: &Tree) -> Vec<(Pubkey, &Edge)> {
        let mut order: Vec<(&Pubkey, &Hop)> = tree.iter().collect();
        order.sort_by_key(|(device, hop)| (hop.cost, self.codes.get(*device)));
        // A device's parent is nearer to the root, so its first link is known by then.
        let mut first: BTreeMap<Pubkey, &Edge> = BTreeMap::new();
        let mut links = Vec::with_capacity(order.len());
        for (device, hop) in order {
            let edge = if hop.parent == *root { self.edge(root, &hop.link) } else { first.get(&hop.parent).copied() };
            if let Some(edge) = edge {
                first.insert(*device, edge);
                links.push((*device, edge));
            }
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

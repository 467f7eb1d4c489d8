//! The way of group traffic through a device.
//!
//! For each source the shortest-path tree from its device spans the network. A device passes a packet on to its own
//! subscribers' tunnels and down those branches of the tree that have subscribers, and takes it only from the tunnel
//! of the publisher or from the branch's own link. Every device computes the same tree, so no packet comes twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use solana_pubkey::Pubkey;

use super::{Live, Network, interfaces::Interfaces, topology::Tree, tunnels::publisher_source};
use crate::config::{GroupEnd, GroupRoute};

impl Network<'_> {
    pub(super) fn groups(&self, key: &Pubkey, interfaces: &Interfaces) -> Vec<GroupRoute> {
        // Who gets what: group, then device, then its tunnels.
        let mut subscribers: BTreeMap<Pubkey, BTreeMap<Pubkey, Vec<u16>>> = BTreeMap::new();
        for live in self.live.values().flatten().filter(|live| live.user.user_type.is_multicast()) {
            for group in &live.user.subscribers {
                let devices = subscribers.entry(*group).or_default();
                devices.entry(live.user.device).or_default().push(live.allocation.tunnel_id);
            }
        }
        let mut trees: BTreeMap<Pubkey, Tree> = BTreeMap::new();
        let mut routes: BTreeMap<(Ipv4Addr, Ipv4Addr), GroupRoute> = BTreeMap::new();
        for live in self.live.values().flatten().filter(|live| live.user.user_type.is_multicast()) {
            let Some(source) = publisher_source(live.user, live.allocation) else { continue };
            for group in &live.user.publishers {
                let Some(entry) = self.view.group(group) else { continue };
                let (Some(address), Some(receivers)) = (entry.address, subscribers.get(group)) else { continue };
                let tree = trees.entry(live.user.device).or_insert_with_key(|root| self.topology.tree(root));
                if let Some((from, to)) = self.passage(key, interfaces, live, tree, receivers) {
                    let route = GroupRoute { source, group: address.ip, code: entry.code.clone(), from, to };
                    routes.insert((route.group, route.source), route);
                }
            }
        }
        routes.into_values().collect()
    }

    /// Where this device takes a publisher's packets from and where it passes them on to; none if they do not pass.
    fn passage(
        &self,
        key: &Pubkey,
        interfaces: &Interfaces,
        publisher: &Live<'_>,
        tree: &Tree,
        receivers: &BTreeMap<Pubkey, Vec<u16>>,
    ) -> Option<(GroupEnd, BTreeSet<GroupEnd>)> {
        let root = &publisher.user.device;
        let port = |link: &Pubkey| interfaces.link_ports.get(link).cloned().map(GroupEnd::Port);
        let from =
            if key == root { GroupEnd::Tunnel(publisher.allocation.tunnel_id) } else { port(&tree.get(key)?.link)? };
        let mut to: BTreeSet<GroupEnd> = BTreeSet::new();
        for (device, tunnels) in receivers {
            if device == key {
                to.extend(tunnels.iter().map(|id| GroupEnd::Tunnel(*id)));
                continue;
            }
            // From the receiver up to the root: if the way comes through here, the last link before here goes out.
            let mut at = *device;
            while let Some(hop) = tree.get(&at) {
                if hop.parent == *key {
                    to.extend(port(&hop.link));
                    break;
                }
                at = hop.parent;
            }
        }
        to.remove(&from);
        (!to.is_empty()).then_some((from, to))
    }
}

//! The way of group traffic through the network.
//!
//! For each source the shortest-path tree from its device spans the network. A device passes a packet on to its own
//! subscribers' tunnels and down those branches of the tree that have subscribers, and takes it only from the tunnel
//! of the publisher or from the branch's own link. Every device computes the same tree, so no packet comes twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use solana_pubkey::Pubkey;

use super::{Live, Network, interfaces::Interfaces, tunnels::publisher_source};
use crate::config::{GroupEnd, GroupRoute, IfName};

/// One source's packets to one group on their way through one device.
pub(super) struct Passage {
    source: Ipv4Addr,
    group: Ipv4Addr,
    code: String,
    from: End,
    to: BTreeSet<End>,
}

/// Where packets come in or go out, before it is known what the device calls it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Tunnel(u16),
    Link(Pubkey),
}

impl Network<'_> {
    /// All passages of the network, by device.
    pub(super) fn passages(&self) -> BTreeMap<Pubkey, Vec<Passage>> {
        let members = || self.live.values().flatten().filter(|live| live.user.user_type.is_multicast());
        // Who gets what: group, then device, then its tunnels.
        let mut subscribers: BTreeMap<Pubkey, BTreeMap<Pubkey, Vec<u16>>> = BTreeMap::new();
        for live in members() {
            for group in &live.user.subscribers {
                let devices = subscribers.entry(*group).or_default();
                devices.entry(live.user.device).or_default().push(live.allocation.tunnel_id);
            }
        }
        let mut passages: BTreeMap<Pubkey, Vec<Passage>> = BTreeMap::new();
        for live in members() {
            let Some(source) = publisher_source(live.user, live.allocation) else { continue };
            for group in &live.user.publishers {
                let Some(entry) = self.view.group(group) else { continue };
                let (Some(address), Some(receivers)) = (entry.address, subscribers.get(group)) else { continue };
                for (device, (from, to)) in self.spread(live, receivers) {
                    let code = entry.code.clone();
                    let passage = Passage { source, group: address.ip, code, from, to };
                    passages.entry(device).or_default().push(passage);
                }
            }
        }
        passages
    }

    /// Where a publisher's packets come in and go out, at each device they pass.
    fn spread(
        &self,
        publisher: &Live<'_>,
        receivers: &BTreeMap<Pubkey, Vec<u16>>,
    ) -> BTreeMap<Pubkey, (End, BTreeSet<End>)> {
        let own = End::Tunnel(publisher.allocation.tunnel_id);
        let mut spread: BTreeMap<Pubkey, (End, BTreeSet<End>)> = BTreeMap::new();
        let Some(root) = self.topology.place(&publisher.user.device) else { return spread };
        let tree = self.tree(root);
        for (receiver, tunnels) in receivers {
            let Some(mut at) = self.topology.place(receiver) else { continue };
            let mut out: Vec<End> = tunnels.iter().map(|id| End::Tunnel(*id)).collect();
            // From the receiver up to the root, or to where another receiver's way has been marked already.
            while let Some(device) = self.topology.device(at) {
                let up = tree.hop(at).and_then(|hop| Some((hop.parent, End::Link(self.topology.edge(hop)?.link))));
                let from = match up {
                    Some((_, link)) => link,
                    None if at == root => own,
                    // There is no way to it.
                    None => break,
                };
                let marked = spread.contains_key(device);
                spread.entry(*device).or_insert_with(|| (from, BTreeSet::new())).1.extend(out);
                let Some((parent, link)) = up.filter(|_| !marked) else { break };
                (at, out) = (parent, vec![link]);
            }
        }
        spread.retain(|_, (from, to)| {
            to.remove(from);
            !to.is_empty()
        });
        spread
    }

    pub(super) fn groups(&self, key: &Pubkey, interfaces: &Interfaces) -> Vec<GroupRoute> {
        let passages = self.passages.get_or_init(|| self.passages());
        let mut routes: Vec<_> = passages
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|passage| {
                let to: BTreeSet<_> = passage.to.iter().filter_map(|end| end.at(&interfaces.link_ports)).collect();
                Some(GroupRoute {
                    source: passage.source,
                    group: passage.group,
                    code: passage.code.clone(),
                    from: passage.from.at(&interfaces.link_ports)?,
                    to: (!to.is_empty()).then_some(to)?,
                })
            })
            .collect();
        routes.sort_by_key(|route| (route.group, route.source));
        routes
    }
}

impl End {
    fn at(self, ports: &BTreeMap<Pubkey, IfName>) -> Option<GroupEnd> {
        match self {
            Self::Tunnel(id) => Some(GroupEnd::Tunnel(id)),
            Self::Link(link) => ports.get(&link).cloned().map(GroupEnd::Port),
        }
    }
}

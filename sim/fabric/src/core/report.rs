//! Answers about what happened: counters and traffic queries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::flow::{FlowKey, Mark};
use super::{Core, PathId, tally};
use crate::counters::{DropReason, FabricCounters, GrePair, Medium, PathCounters, Tally, Traffic, TrafficFilter};
use crate::packet::ipv4;

/// What happened to the packets of one protocol on one path.
#[derive(Debug, Default)]
pub(super) struct ProtocolCounters {
    pub(super) sent: Tally,
    pub(super) delivered: Tally,
    pub(super) duplicated: Tally,
    pub(super) fragments: Tally,
    dropped: Vec<(DropReason, Tally)>,
}

impl ProtocolCounters {
    pub(super) fn drop(&mut self, reason: DropReason, tally: Tally) {
        match self.dropped.iter_mut().find(|(of, _)| *of == reason) {
            Some((_, sum)) => *sum += tally,
            None => {
                self.dropped.reserve_exact(1);
                self.dropped.push((reason, tally));
            }
        }
    }
}

impl Core {
    /// What an echo takes from a node to an address and back to an address of the node; none where nobody has the
    /// address, where nothing passes, and where it is not the same for every packet.
    pub(crate) fn round_trip(&mut self, from: &str, to: Ipv4Addr, back: Ipv4Addr) -> Option<Duration> {
        let from = self.nodes.find(from).ok()?;
        let far = self.routes.lookup(to)?;
        let ways = [self.paths.toward(&self.nodes, from, far, to), self.paths.toward(&self.nodes, far, from, back)];
        let time = |way: PathId| {
            let path = &self.paths[way];
            if path.is_cut(ipv4::ICMP) { None } else { path.profile(ipv4::ICMP).fixed() }
        };
        ways.into_iter().map(time).sum()
    }

    /// Everything counted so far.
    pub(crate) fn counters_snapshot(&self) -> FabricCounters {
        let mut rows = BTreeMap::new();
        for path in self.paths.iter() {
            for (protocol, counters) in path.counters() {
                let row = rows.entry((path.from, path.to, path.link, protocol)).or_insert_with(|| PathCounters {
                    from: self.name(path.from).to_owned(),
                    to: self.name(path.to).to_owned(),
                    link: path.link.map(|link| self.links[link.0 as usize].name.clone()),
                    protocol,
                    sent: Tally::default(),
                    delivered: Tally::default(),
                    duplicated: Tally::default(),
                    fragments: Tally::default(),
                    dropped: BTreeMap::new(),
                    under_way: Tally::default(),
                });
                row.sent += counters.sent;
                row.delivered += counters.delivered;
                row.duplicated += counters.duplicated;
                row.fragments += counters.fragments;
                for (reason, tally) in &counters.dropped {
                    *row.dropped.entry(*reason).or_default() += *tally;
                }
            }
        }
        for item in self.queue.iter() {
            let path = &self.paths[item.path];
            if let Some(row) = rows.get_mut(&(path.from, path.to, path.link, item.protocol)) {
                row.under_way += tally(item.wire);
            }
        }
        let mut paths: Vec<_> = rows.into_values().collect();
        paths.sort_by(|a, b| (&a.from, &a.to, &a.link, a.protocol).cmp(&(&b.from, &b.to, &b.link, b.protocol)));
        FabricCounters { paths, untracked: self.flows.untracked() }
    }

    pub(crate) fn mark(&mut self) -> Mark {
        self.flows.mark()
    }

    /// What packets that `filter` matches amount to since `mark`, or ever. An unknown name matches nothing.
    pub(crate) fn traffic(&self, mark: Option<&Mark>, filter: &TrafficFilter) -> Traffic {
        let from = match filter.from.as_deref().map(|name| self.nodes.by_name(name)) {
            Some(None) => return Traffic::default(),
            from => from.flatten(),
        };
        let medium = match &filter.medium {
            None => None,
            Some(Medium::Internet) => Some(None),
            Some(Medium::Link(name)) => match self.link(name) {
                None => return Traffic::default(),
                link => Some(link),
            },
        };
        let matches = |key: &FlowKey| {
            from.is_none_or(|from| key.from == from)
                && medium.is_none_or(|medium| key.link == medium)
                && filter.source.is_none_or(|source| key.source == source)
                && filter.destination.is_none_or(|destination| key.destination == destination)
                && filter.purposes.admit(key.purpose)
                && filter.protocol.is_none_or(|protocol| key.protocol == protocol)
                && filter.inner_source.is_none_or(|source| key.inner.is_some_and(|inner| inner.0 == source))
                && filter
                    .inner_destination
                    .is_none_or(|destination| key.inner.is_some_and(|inner| inner.1 == destination))
        };
        let flows = self.flows.since(mark).filter(|(key, _)| matches(key));
        flows.fold(Traffic::default(), |mut sum, (_, traffic)| {
            sum += traffic;
            sum
        })
    }

    /// The outer addresses of GRE that each node sent on the internet since `mark`, or ever.
    pub(crate) fn gre_pairs(&self, mark: Option<&Mark>) -> BTreeMap<String, BTreeSet<GrePair>> {
        let mut pairs = BTreeMap::<String, BTreeSet<GrePair>>::new();
        for (key, traffic) in self.flows.since(mark) {
            if key.protocol == ipv4::GRE && key.link.is_none() && traffic.sent.packets > 0 {
                let pair = GrePair { source: key.source, destination: key.destination };
                pairs.entry(self.name(key.from).to_owned()).or_default().insert(pair);
            }
        }
        pairs
    }
}

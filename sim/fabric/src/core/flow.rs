//! Flows: totals by addresses and protocol, and what was added to them since a mark. This is what
//! traffic expectations and the oracle's view of the wire are answered from.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{LinkId, NodeId};
use crate::counters::{Purpose, Tally, Traffic};

/// What packets have in common that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FlowKey {
    pub(crate) from: NodeId,
    /// The link they went over; `None` is the internet.
    pub(crate) link: Option<LinkId>,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) protocol: u8,
    /// Source and destination inside GRE.
    pub(crate) inner: Option<(Ipv4Addr, Ipv4Addr)>,
    pub(crate) purpose: Purpose,
}

/// A place in the table; `NONE` when the table was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowId(u32);

impl FlowId {
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// A point in the history of traffic. While any clone of it lives, what came after it can be asked for.
#[derive(Debug, Clone)]
pub struct Mark(Arc<MarkGuard>);

#[derive(Debug)]
struct MarkGuard {
    epoch: u64,
    live: LiveMarks,
}

impl Drop for MarkGuard {
    fn drop(&mut self) {
        self.live.lock().remove(&self.epoch);
    }
}

#[derive(Debug, Clone, Default)]
struct LiveMarks(Arc<Mutex<BTreeMap<u64, ()>>>);

impl LiveMarks {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, ()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn oldest(&self) -> Option<u64> {
        self.lock().keys().next().copied()
    }
}

#[derive(Debug)]
struct Flow {
    key: FlowKey,
    total: Traffic,
    /// The epoch of the last change.
    epoch: u64,
    /// For each epoch with a change, and a live mark at its start: what the total was before.
    history: Vec<(u64, Traffic)>,
}

/// The table. Its size is bounded; what finds no place is counted as one.
#[derive(Debug)]
pub(crate) struct Flows {
    by_key: HashMap<FlowKey, u32>,
    flows: Vec<Flow>,
    capacity: usize,
    untracked: Tally,
    epoch: u64,
    live: LiveMarks,
}

impl Flows {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            by_key: HashMap::new(),
            flows: Vec::new(),
            capacity,
            untracked: Tally::default(),
            epoch: 0,
            live: LiveMarks::default(),
        }
    }

    /// Counts packets as sent and says where, so that they can be counted as delivered.
    pub(crate) fn sent(&mut self, key: FlowKey, tally: Tally) -> FlowId {
        let id = match self.by_key.get(&key) {
            Some(&id) => id,
            None if self.flows.len() < self.capacity => {
                let id = self.flows.len() as u32;
                self.by_key.insert(key, id);
                let history = vec![(self.epoch, Traffic::default())];
                self.flows.push(Flow { key, total: Traffic::default(), epoch: self.epoch, history });
                id
            }
            None => {
                self.untracked += tally;
                return FlowId::NONE;
            }
        };
        self.touch(id).sent += tally;
        FlowId(id)
    }

    pub(crate) fn delivered(&mut self, id: FlowId, tally: Tally) {
        if id != FlowId::NONE {
            self.touch(id.0).delivered += tally;
        }
    }

    fn touch(&mut self, id: u32) -> &mut Traffic {
        let flow = &mut self.flows[id as usize];
        if flow.epoch < self.epoch {
            flow.epoch = self.epoch;
            // The newest mark always lives here: it started this epoch, or nobody asks for it.
            match self.live.oldest() {
                Some(oldest) => flow.history.retain(|(epoch, _)| *epoch >= oldest),
                None => flow.history.clear(),
            }
            flow.history.push((self.epoch, flow.total));
        }
        &mut flow.total
    }

    /// Starts a new epoch.
    pub(crate) fn mark(&mut self) -> Mark {
        self.epoch += 1;
        self.live.lock().insert(self.epoch, ());
        Mark(Arc::new(MarkGuard { epoch: self.epoch, live: self.live.clone() }))
    }

    /// What each flow carried since `mark`, or ever; flows that carried nothing are left out.
    pub(crate) fn since(&self, mark: Option<&Mark>) -> impl Iterator<Item = (&FlowKey, Traffic)> {
        let epoch = mark.map(|mark| mark.0.epoch);
        self.flows.iter().filter_map(move |flow| {
            let traffic = match epoch {
                None => flow.total,
                Some(epoch) => {
                    let (_, before) = flow.history.iter().find(|(at, _)| *at >= epoch)?;
                    flow.total - *before
                }
            };
            (traffic != Traffic::default()).then_some((&flow.key, traffic))
        })
    }

    /// What found no place in the table.
    pub(crate) fn untracked(&self) -> Tally {
        self.untracked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(last: u8) -> FlowKey {
        FlowKey {
            from: NodeId(1),
            link: None,
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: Ipv4Addr::new(192, 0, 2, last),
            protocol: 47,
            inner: None,
            purpose: Purpose::Other,
        }
    }

    fn tally(packets: u64) -> Tally {
        Tally { packets, bytes: packets * 100 }
    }

    fn sent_since(flows: &Flows, mark: Option<&Mark>) -> Vec<(u8, u64)> {
        flows.since(mark).map(|(key, traffic)| (key.destination.octets()[3], traffic.sent.packets)).collect()
    }

    #[test]
    fn each_mark_sees_what_came_after_it() {
        let mut flows = Flows::new(10);
        flows.sent(key(2), tally(5));
        let first = flows.mark();
        assert_eq!(sent_since(&flows, Some(&first)), []);
        flows.sent(key(2), tally(1));
        flows.sent(key(3), tally(2));
        let second = flows.mark();
        let third = flows.mark();
        flows.sent(key(2), tally(10));
        assert_eq!(sent_since(&flows, None), [(2, 16), (3, 2)]);
        assert_eq!(sent_since(&flows, Some(&first)), [(2, 11), (3, 2)]);
        assert_eq!(sent_since(&flows, Some(&second)), [(2, 10)]);
        assert_eq!(sent_since(&flows, Some(&third)), [(2, 10)]);
    }

    #[test]
    fn history_is_as_long_as_marks_live() {
        let mut flows = Flows::new(10);
        for _ in 0..100 {
            let mark = flows.mark();
            flows.sent(key(2), tally(1));
            assert_eq!(sent_since(&flows, Some(&mark)), [(2, 1)]);
        }
        assert!(flows.flows[0].history.len() <= 2);
        assert!(flows.live.lock().is_empty());
    }

    #[test]
    fn a_late_delivery_counts_for_the_mark_before_it() {
        let mut flows = Flows::new(10);
        let id = flows.sent(key(2), tally(1));
        let mark = flows.mark();
        flows.delivered(id, tally(1));
        let since: Vec<_> = flows.since(Some(&mark)).map(|(_, traffic)| traffic).collect();
        assert_eq!(since, [Traffic { sent: tally(0), delivered: tally(1) }]);
    }

    #[test]
    fn a_full_table_counts_the_rest_as_one() {
        let mut flows = Flows::new(1);
        flows.sent(key(2), tally(1));
        assert_eq!(flows.sent(key(3), tally(7)), FlowId::NONE);
        flows.delivered(FlowId::NONE, tally(7));
        assert_eq!(sent_since(&flows, None), [(2, 1)]);
        assert_eq!(flows.untracked(), tally(7));
    }
}

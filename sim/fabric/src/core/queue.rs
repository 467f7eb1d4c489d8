//! Packets under way, by when they arrive. Packets of the same time leave in the order they came.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::flow::FlowId;
use super::{PathId, PortId};
use crate::packet::{OnWire, Packet};

/// A packet that will arrive.
#[derive(Debug)]
pub(crate) struct UnderWay {
    pub(crate) port: PortId,
    pub(crate) path: PathId,
    pub(crate) flow: FlowId,
    pub(crate) protocol: u8,
    pub(crate) wire: OnWire,
    pub(crate) packet: Packet,
}

/// The queue. Packets lie in slots that are used again; the heap orders only their numbers.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    slots: Vec<Option<UnderWay>>,
    free: Vec<u32>,
    sequence: u64,
    bytes: usize,
}

impl Queue {
    pub(crate) fn push(&mut self, at: u64, item: UnderWay) {
        self.bytes += footprint(&item);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize] = Some(item);
        self.heap.push(Reverse((at, self.sequence, slot)));
        self.sequence += 1;
    }

    /// The next packet to arrive at or before `now`, and when it was to.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<(u64, UnderWay)> {
        let Reverse((at, _, slot)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        let item = self.slots[slot as usize].take()?;
        self.free.push(slot);
        self.bytes -= footprint(&item);
        if self.heap.is_empty() {
            // A burst is over: give back what only it needed.
            self.shrink();
        }
        Some((at, item))
    }

    /// What [`Queue::pop_due`] would give.
    pub(crate) fn peek_due(&self, now: u64) -> Option<&UnderWay> {
        let Reverse((_, _, slot)) = self.heap.peek().filter(|Reverse((at, ..))| *at <= now)?;
        self.slots[*slot as usize].as_ref()
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Bytes of memory that the packets take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &UnderWay> {
        self.slots.iter().flatten()
    }

    fn shrink(&mut self) {
        const KEEP: usize = 4096;
        if self.slots.len() > KEEP {
            self.slots = Vec::new();
            self.free = Vec::new();
            self.heap = BinaryHeap::new();
        }
    }
}

fn footprint(item: &UnderWay) -> usize {
    item.packet.bytes.capacity() + size_of::<UnderWay>() + 32
}

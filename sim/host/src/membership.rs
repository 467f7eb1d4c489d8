//! Group memberships by interface and socket (`net/ipv4/igmp.c`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Each membership by its number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memberships {
    by_id: BTreeMap<u64, (Ipv4Addr, u32)>,
    next: u64,
}

impl Memberships {
    /// Joins `group` on the link of that index, which must exist.
    pub(crate) fn join(&mut self, group: Ipv4Addr, index: u32) -> u64 {
        let id = self.next;
        self.next += 1;
        self.by_id.insert(id, (group, index));
        id
    }

    pub(crate) fn leave(&mut self, id: u64) {
        self.by_id.remove(&id);
    }

    /// What a link that is removed takes along. The sockets do not notice.
    pub(crate) fn forget_link(&mut self, index: u32) {
        self.by_id.retain(|_, (_, at)| *at != index);
    }

    /// Whether anyone has joined a group on an interface. All hosts are in 224.0.0.1 (RFC 1112).
    pub(crate) fn has(&self, group: Ipv4Addr, index: u32) -> bool {
        group == Ipv4Addr::new(224, 0, 0, 1) || self.by_id.values().any(|joined| *joined == (group, index))
    }

    /// Whether this one is of the group on the interface.
    pub(crate) fn is(&self, id: u64, group: Ipv4Addr, index: u32) -> bool {
        self.by_id.get(&id) == Some(&(group, index))
    }
}

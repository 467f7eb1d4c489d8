//! Turns of the nodes whose routes are looked at.

use std::collections::BTreeSet;

/// Routes that one look takes in. A client that comes is a route at each other: in a network of a thousand each look would
/// be at a million.
pub(super) const ROUTES: usize = 50_000;

/// Which nodes' routes were too many for the last look, by number.
#[derive(Debug, Default)]
pub(super) struct Turns {
    late: BTreeSet<usize>,
    left: usize,
    /// The first node that the present look has no room for.
    next: Option<usize>,
}

impl Turns {
    /// Begins a look, and returns the number of the node that comes first in it.
    pub(super) fn begin(&mut self) -> usize {
        self.left = ROUTES;
        self.next.take().unwrap_or(0)
    }

    pub(super) fn is_late(&self, node: usize) -> bool {
        self.late.contains(&node)
    }

    /// Whether this look has room for a node with this number of routes; if not, the node is late.
    pub(super) fn take(&mut self, node: usize, routes: usize) -> bool {
        if self.left == 0 {
            self.late.insert(node);
            self.next.get_or_insert(node);
            return false;
        }
        // One that alone has more than there is room for has its turn, too.
        self.left = self.left.saturating_sub(routes);
        self.late.remove(&node);
        true
    }
}

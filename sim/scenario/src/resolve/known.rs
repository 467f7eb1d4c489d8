//! Names that a file has brought into being.

use std::collections::{BTreeMap, BTreeSet};

/// Names that lists of clients may use.
#[derive(Default)]
pub(super) struct Known {
    /// All clients.
    pub(super) clients: BTreeSet<String>,
    /// Clients with a count, by their common name.
    pub(super) counted: BTreeMap<String, BTreeSet<String>>,
}

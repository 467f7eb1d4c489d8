//! Bugs that are put in on purpose, at the seams of the virtual world: what finds faults is itself tested by them. No product
//! knows of them, and nothing but a hidden option puts one in.

mod host;
mod ledger;

use std::sync::Arc;

use dz_net::host::Host;
use dz_sdk::{
    Ledger,
    local::{LocalLedger, LocalNode},
};

use crate::run::world::bug::Bug;

/// The chain as a process gets it.
pub(super) fn ledger(
    bug: Option<Bug>,
    inner: Arc<dyn Ledger>,
    node: &LocalNode,
    chain: &LocalLedger,
) -> Arc<dyn Ledger> {
    match bug {
        Some(Bug::LeakedUnit | Bug::DoubleGrant) => Arc::new(ledger::Planted::forging(inner, chain.clone(), bug)),
        Some(Bug::MissingReread) => Arc::new(ledger::Planted::forgetful(inner, node.clone())),
        _ => inner,
    }
}

/// The chain as the controller gets it, from what a process there gets.
pub(super) fn controller(bug: Option<Bug>, inner: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
    match bug {
        Some(Bug::WrongId) => Arc::new(ledger::Planted::renumbering(inner)),
        _ => inner,
    }
}

/// The host as an agent or a daemon gets it.
pub(super) fn host(bug: Option<Bug>, inner: Arc<dyn Host>) -> Arc<dyn Host> {
    match bug {
        Some(
            bug @ (Bug::SwappedName
            | Bug::StaleRule
            | Bug::MisplacedAddress
            | Bug::LostRoute
            | Bug::LostTable
            | Bug::LostUplink
            | Bug::WrongEnd),
        ) => Arc::new(host::Lying::new(inner, bug)),
        _ => inner,
    }
}

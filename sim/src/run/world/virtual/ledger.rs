//! The chain in memory, and each node's way to it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use dz_sdk::{
    LedgerError,
    local::{LocalBank, LocalFaults, LocalLedger, LocalNode},
    program::ID,
};
use dzsim_scenario::plan::{LedgerFault, Plan};
use solana_signer::Signer;
use tokio::sync::watch;

use crate::run::{
    genesis::bank::FUNDS,
    keys::{Keys, Owner},
    roles::CORE,
    seeds,
    world::backend::LedgerInside,
};

/// The runner, towards the ledger.
pub(super) const RUNNER: &str = "runner";
/// Slots that can be read late; as many as the ledger with JSON-RPC keeps.
const REMEMBERED: usize = 1024;
/// What a request and its answer take.
const LATENCY: Duration = Duration::from_millis(1);

/// The chain from inside.
pub(super) struct Inside {
    chain: LocalLedger,
    nodes: BTreeMap<String, LocalNode>,
}

impl Inside {
    /// A chain on which everybody has something to pay with.
    pub(super) fn new(plan: &Plan, keys: Keys) -> Result<Self, LedgerError> {
        let foundation = keys.of(Owner::Foundation).pubkey();
        let mut bank = LocalBank::new(ID, &foundation).remember(REMEMBERED);
        Owner::all(plan).for_each(|owner| bank.airdrop(keys.of(owner).pubkey(), FUNDS));
        let chain = LocalLedger::new(bank, foundation)?;
        let devices = plan.devices.keys().map(|code| code.as_str());
        let clients = plan.clients.keys().map(|name| name.as_str());
        let nodes = [CORE, RUNNER].into_iter().chain(devices).chain(clients).map(|name| {
            let node = LocalNode::new(chain.clone(), LATENCY, seeds::of(keys.seed(), "ledger faults", name));
            (name.to_owned(), node)
        });
        Ok(Self { nodes: nodes.collect(), chain })
    }

    /// The chain itself.
    pub(super) fn chain(&self) -> &LocalLedger {
        &self.chain
    }

    /// A node's way to the chain.
    pub(super) fn node(&self, name: &str) -> anyhow::Result<&LocalNode> {
        self.nodes.get(name).with_context(|| format!("no node {name}"))
    }

    fn update(&self, node: &str, change: impl FnOnce(&mut LocalFaults)) {
        if let Some(node) = self.nodes.get(node) {
            node.update(change);
        }
    }
}

#[async_trait]
impl LedgerInside for Inside {
    fn slots(&self) -> watch::Receiver<u64> {
        self.chain.slots()
    }

    async fn begin_epoch(&self, epoch: u64) -> anyhow::Result<()> {
        self.chain.bank().set_epoch(epoch);
        Ok(())
    }

    async fn lose_slots(&self, slots: u64) -> anyhow::Result<()> {
        Ok(self.chain.lose(slots)?)
    }

    fn inflict(&self, node: &str, fault: &LedgerFault) {
        self.update(node, |faults| match fault {
            LedgerFault::Outage => faults.outage = true,
            LedgerFault::Slow { delay } => (faults.answer_delay, faults.notification_delay) = (*delay, *delay),
            LedgerFault::LostNotifications { share_ppm } => faults.lost_notifications_ppm = *share_ppm,
            LedgerFault::DuplicatedNotifications { share_ppm } => faults.duplicated_notifications_ppm = *share_ppm,
            LedgerFault::StaleReads { slots } => faults.read_lag = *slots,
            LedgerFault::RefusedSends { share_ppm } => faults.refused_sends_ppm = *share_ppm,
        });
    }

    fn heal(&self, node: &str, kind: &LedgerFault) {
        let none = LocalFaults::default();
        self.update(node, |faults| match kind {
            LedgerFault::Outage => faults.outage = none.outage,
            LedgerFault::Slow { .. } => {
                (faults.answer_delay, faults.notification_delay) = (none.answer_delay, none.notification_delay);
            }
            LedgerFault::LostNotifications { .. } => faults.lost_notifications_ppm = none.lost_notifications_ppm,
            LedgerFault::DuplicatedNotifications { .. } => {
                faults.duplicated_notifications_ppm = none.duplicated_notifications_ppm;
            }
            LedgerFault::StaleReads { .. } => faults.read_lag = none.read_lag,
            LedgerFault::RefusedSends { .. } => faults.refused_sends_ppm = none.refused_sends_ppm,
        });
    }

    fn hits(&self, node: &str, kind: &LedgerFault) -> u64 {
        let hits = self.nodes.get(node).map(LocalNode::hits).unwrap_or_default();
        match kind {
            LedgerFault::Outage => hits.cut,
            LedgerFault::Slow { .. } => hits.delayed,
            LedgerFault::LostNotifications { .. } => hits.lost,
            LedgerFault::DuplicatedNotifications { .. } => hits.duplicated,
            LedgerFault::StaleReads { .. } => hits.stale,
            LedgerFault::RefusedSends { .. } => hits.refused,
        }
    }
}

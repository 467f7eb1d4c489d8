//! The inside of the ledger that runs in the scenario's process.

use anyhow::Context;
use async_trait::async_trait;
use dz_sdk::Ledger as _;
use dzsim_ledger::{Chance, ClientName, Faults, Ledger};
use dzsim_scenario::plan::{ClientName as ClientNode, LedgerFault};
use solana_instruction::Instruction;
use solana_pubkey::{Pubkey, pubkey};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::watch;

use super::{account_stream::AccountStream, shared::SHARED};
use crate::run::world::backend::LedgerInside;

/// The account that holds what time it is on the chain: slot, start of the epoch, epoch, eight octets each, and more.
const CLOCK: Pubkey = pubkey!("SysvarC1ock11111111111111111111111111111111");
/// The compute budget program.
const COMPUTE_BUDGET: Pubkey = pubkey!("ComputeBudget111111111111111111111111111111");

/// The ledger, a key that can send, and the nodes that have no way to it of their own.
pub(super) struct Inside(pub(super) Ledger, pub(super) Arc<AccountStream>, pub(super) BTreeSet<ClientNode>);

impl Inside {
    /// What a node is called towards the ledger.
    fn client(&self, node: &str) -> ClientName {
        ClientName::new(if self.2.contains(node) { SHARED } else { node })
    }

    async fn epoch(&self) -> anyhow::Result<u64> {
        let clock = self.0.account(&CLOCK).await?.context("a chain without a clock")?;
        let octets = clock.data.get(16..24).context("a clock without an epoch")?;
        Ok(u64::from_le_bytes(octets.try_into()?))
    }
}

#[async_trait]
impl LedgerInside for Inside {
    fn slots(&self) -> watch::Receiver<u64> {
        self.0.slots()
    }

    /// Epochs pass by transactions, so some are sent that do nothing.
    async fn begin_epoch(&self, epoch: u64) -> anyhow::Result<()> {
        let mut number = 0;
        while self.epoch().await? < epoch {
            self.1.send(&[nothing(number)]).await?;
            number += 1;
        }
        Ok(())
    }

    async fn death(&self) -> String {
        self.0.death().await
    }

    async fn lose_slots(&self, slots: u64) -> anyhow::Result<()> {
        anyhow::ensure!(self.0.lose_slots(slots).await?, "the ledger has no {slots} slots that it could lose");
        Ok(())
    }

    fn inflict(&self, node: &str, fault: &LedgerFault) {
        self.0.faults(&self.client(node)).update(|faults| set(faults, fault));
    }

    fn heal(&self, node: &str, kind: &LedgerFault) {
        self.0.faults(&self.client(node)).update(|faults| clear(faults, kind));
    }

    fn hits(&self, node: &str, kind: &LedgerFault) -> u64 {
        let hits = self.0.faults(&self.client(node)).hits();
        match kind {
            LedgerFault::Outage => hits.cut,
            LedgerFault::Slow { .. } => hits.delayed,
            LedgerFault::LostNotifications { .. } => hits.dropped,
            LedgerFault::DuplicatedNotifications { .. } => hits.duplicated,
            LedgerFault::StaleReads { .. } => hits.stale,
            LedgerFault::RefusedSends { .. } => hits.refused,
        }
    }
}

/// Allows the transaction some compute units, and does nothing with them. Each number is another message: the same one
/// twice would be one transaction.
fn nothing(number: u32) -> Instruction {
    /// `SetComputeUnitLimit`
    const SET_LIMIT: u8 = 2;
    let mut data = vec![SET_LIMIT];
    data.extend((1_000 + number).to_le_bytes());
    Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data }
}

fn chance(ppm: u32) -> Chance {
    Chance::try_from(f64::from(ppm) / 1e6).unwrap_or_default()
}

fn set(faults: &mut Faults, fault: &LedgerFault) {
    match fault {
        LedgerFault::Outage => faults.outage = true,
        LedgerFault::Slow { delay } => {
            faults.answer_delay = *delay;
            faults.notifications.delay = *delay;
        }
        LedgerFault::LostNotifications { share_ppm } => faults.notifications.drop = chance(*share_ppm),
        LedgerFault::DuplicatedNotifications { share_ppm } => faults.notifications.duplicate = chance(*share_ppm),
        LedgerFault::StaleReads { slots } => faults.read_lag = *slots,
        LedgerFault::RefusedSends { share_ppm } => faults.refuse_sends = chance(*share_ppm),
    }
}

fn clear(faults: &mut Faults, kind: &LedgerFault) {
    let none = Faults::default();
    match kind {
        LedgerFault::Outage => faults.outage = false,
        LedgerFault::Slow { .. } => {
            faults.answer_delay = none.answer_delay;
            faults.notifications.delay = none.notifications.delay;
        }
        LedgerFault::LostNotifications { .. } => faults.notifications.drop = none.notifications.drop,
        LedgerFault::DuplicatedNotifications { .. } => faults.notifications.duplicate = none.notifications.duplicate,
        LedgerFault::StaleReads { .. } => faults.read_lag = none.read_lag,
        LedgerFault::RefusedSends { .. } => faults.refuse_sends = none.refuse_sends,
    }
}

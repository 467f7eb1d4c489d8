//! Sends a plan: packs it into transactions, and interprets the ledger's answers.

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZeroUsize,
    sync::Arc,
};

use dz_sdk::{Ledger, LedgerError, NetworkView, ledger::Landed, program::error::ServiceabilityError};
use futures_util::future::join_all;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::{sync::watch, time::Instant};
use tracing::{error, info, warn};

use crate::{
    batch::Batch,
    instruction::instruction,
    metrics::{Metrics, Outcome},
    plan::{Action, Plan},
    refusal::{Refusals, Verdict},
    status::Status,
};

/// An action the program refuses this many times in a row, planned from a fresh read each time, is given up.
const REFUSALS: u32 = 2;
/// An action that fails outside the program, such as for a block hash that is too old, may do so more often.
const FAILURES: u32 = 5;

/// What one pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// There was nothing to do, or nothing that is not given up.
    Quiet,
    /// Everything landed, the last of it in this slot.
    Landed {
        /// The slot; a view of it or later shows the effect.
        slot: u64,
    },
    /// Something was refused: the view is older than the chain.
    Stale,
    /// The ledger did not answer; what was sent last may have landed.
    Unavailable,
    /// It was asked to stop.
    Stopped,
}

/// Sends plans to a ledger.
pub(crate) struct Sender {
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    /// The most transactions on their way at a time.
    in_flight: usize,
    refusals: Refusals,
}

impl Sender {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        metrics: Arc<Metrics>,
        status: Arc<Status>,
        in_flight: NonZeroUsize,
    ) -> Self {
        Self { ledger, metrics, status, in_flight: in_flight.get(), refusals: Refusals::default() }
    }

    /// Sends what is planned from this view, in order.
    pub(crate) async fn apply(&mut self, view: &NetworkView, plan: &Plan, stop: &watch::Receiver<bool>) -> Pass {
        self.refusals.retain_existing(view);
        let payer = self.ledger.payer();
        let mut queue: VecDeque<Batch<'_>> = Batch::pack(&payer, self.parts(view, plan)).into();
        let (mut slot, mut stale) = (None, false);
        while let Some(wave) = self.next_wave(&mut queue) {
            if *stop.borrow() {
                return Pass::Stopped;
            }
            let sends = wave.iter().map(|batch| {
                let instructions = batch.instructions();
                let ledger = &self.ledger;
                async move { ledger.send(&instructions).await }
            });
            let answers = join_all(sends).await;
            let mut unavailable = false;
            for (batch, answer) in wave.into_iter().zip(answers) {
                match answer {
                    Ok(landed) => {
                        self.landed(&batch, &landed);
                        slot = slot.max(Some(landed.slot));
                    }
                    Err(LedgerError::Refused { instruction, error }) => {
                        stale |= self.refused(view, batch, usize::from(instruction), error, &mut queue);
                    }
                    Err(LedgerError::Failed(reason)) if batch.parts.len() > 1 => {
                        let actions = batch.parts.len();
                        warn!(reason, actions, "a transaction failed; its actions are sent one by one");
                        batch.one_by_one().rev().for_each(|single| queue.push_front(single));
                    }
                    Err(LedgerError::Failed(reason)) => {
                        for (action, _) in &batch.parts {
                            leave_out(&mut queue, &action.subject.key);
                            stale |= self.note(view, action, FAILURES, &reason);
                        }
                    }
                    Err(error @ (LedgerError::Unavailable { .. } | LedgerError::View(_))) => {
                        self.ledger_failed(&error);
                        unavailable = true;
                    }
                }
            }
            if unavailable {
                return Pass::Unavailable;
            }
            self.status.ledger_works();
        }
        self.metrics.set_given_up(self.refusals.given_up());
        match (stale, slot) {
            (true, _) => Pass::Stale,
            (false, Some(slot)) => Pass::Landed { slot },
            (false, None) => Pass::Quiet,
        }
    }

    /// The transactions to send next, together: the next one, and those after it that do the same thing to others.
    /// What they claim is claimed by value, so it does not matter which of them lands first.
    fn next_wave<'p>(&self, queue: &mut VecDeque<Batch<'p>>) -> Option<Vec<Batch<'p>>> {
        let first = queue.pop_front()?;
        let alike = first.decision_that_commutes();
        let mut wave = vec![first];
        while alike.is_some()
            && wave.len() < self.in_flight
            && queue.front().is_some_and(|next| next.decision_that_commutes() == alike)
        {
            wave.extend(queue.pop_front());
        }
        Some(wave)
    }

    /// The actions to send, with their instructions. Once one of a subject is left out, so is what follows it.
    fn parts<'p>(&self, view: &NetworkView, plan: &'p Plan) -> Vec<(&'p Action, Instruction)> {
        let (payer, now) = (self.ledger.payer(), Instant::now());
        let mut left_out = BTreeSet::new();
        let mut parts = Vec::with_capacity(plan.actions.len());
        for action in &plan.actions {
            if left_out.contains(&action.subject.key) {
                continue;
            }
            if self.refusals.is_given_up(action, view, now) {
                left_out.insert(action.subject.key);
                continue;
            }
            match instruction(view, &payer, action) {
                Ok(instruction) => parts.push((action, instruction)),
                Err(error) => {
                    left_out.insert(action.subject.key);
                    error!(subject = %action.subject, decision = action.decision.name(), %error, "no instruction");
                }
            }
        }
        parts
    }

    fn landed(&mut self, batch: &Batch<'_>, landed: &Landed) {
        self.metrics.landed();
        for (action, _) in &batch.parts {
            self.refusals.forget(&action.subject.key);
            self.metrics.acted(action.decision.name(), Outcome::Landed);
            info!(
                decision = action.decision.name(),
                subject = %action.subject,
                account = %action.subject.key,
                values = %action.decision,
                reason = action.reason,
                slot = landed.slot,
                signature = %landed.signature,
                outcome = "landed",
                "decided"
            );
        }
    }

    /// One instruction of a batch was refused, so none of it landed: what stood before it goes again as it is, what
    /// follows goes without the refused subject. Says whether the chain should be read again.
    fn refused<'p>(
        &mut self,
        view: &NetworkView,
        batch: Batch<'p>,
        index: usize,
        error: ServiceabilityError,
        queue: &mut VecDeque<Batch<'p>>,
    ) -> bool {
        let mut before = batch.parts;
        let after = before.split_off((index + 1).min(before.len()));
        let Some((culprit, _)) = before.pop() else { return true };
        let after: Vec<_> = after.into_iter().filter(|(action, _)| action.subject.key != culprit.subject.key).collect();
        for parts in [after, before].into_iter().filter(|parts| !parts.is_empty()) {
            queue.push_front(Batch { parts });
        }
        leave_out(queue, &culprit.subject.key);
        // Its sentence, not the name of its variant.
        let reason = error.to_string();
        self.note(view, culprit, REFUSALS, &reason)
    }

    /// Says whether the chain should be read again because of this failure.
    fn note(&mut self, view: &NetworkView, action: &Action, limit: u32, refusal: &str) -> bool {
        let verdict = self.refusals.note(action, view, limit, Instant::now());
        let outcome = match verdict {
            Verdict::Replan => Outcome::Conflict,
            Verdict::GiveUp => Outcome::GivenUp,
        };
        self.metrics.acted(action.decision.name(), outcome);
        let (name, values) = (action.decision.name(), action.decision.to_string());
        let (subject, account, reason) = (&action.subject, action.subject.key, &action.reason);
        match verdict {
            Verdict::Replan => info!(
                decision = name, %subject, %account, values, reason, refusal, slot = view.slot(), outcome = "conflict",
                "refused; planning again"
            ),
            Verdict::GiveUp => warn!(
                decision = name, %subject, %account, values, reason, refusal, slot = view.slot(), outcome = "given-up",
                "refused again; leaving it until it changes"
            ),
        }
        verdict == Verdict::Replan
    }

    fn ledger_failed(&self, error: &LedgerError) {
        self.metrics.ledger_failed();
        self.status.ledger_failed(&error.to_string());
        warn!(%error, "the ledger does not take a transaction");
    }
}

/// Drops what is still to be sent about a subject of which an earlier action did not land: it rests on that one.
fn leave_out(queue: &mut VecDeque<Batch<'_>>, subject: &Pubkey) {
    for batch in queue.iter_mut() {
        batch.parts.retain(|(action, _)| action.subject.key != *subject);
    }
    queue.retain(|batch| !batch.parts.is_empty());
}

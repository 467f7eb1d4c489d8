//! Transactions: consecutive actions of a plan that travel and land together.

use dz_sdk::build;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::plan::{Action, Decision};

/// Actions that are sent as one transaction, each with its instruction.
#[derive(Clone, Debug)]
pub(crate) struct Batch<'a> {
    /// In order.
    pub(crate) parts: Vec<(&'a Action, Instruction)>,
}

impl<'a> Batch<'a> {
    /// Cuts a sequence of actions into transactions. Order is kept.
    pub(crate) fn pack(payer: &Pubkey, parts: impl IntoIterator<Item = (&'a Action, Instruction)>) -> Vec<Self> {
        let packed = build::pack_by(payer, parts, |(_, instruction)| instruction, |(a, _), (b, _)| a.lands_with(b));
        packed.into_iter().map(|parts| Self { parts }).collect()
    }

    /// The same actions, each in a transaction of its own.
    pub(crate) fn one_by_one(self) -> impl DoubleEndedIterator<Item = Self> {
        self.parts.into_iter().map(|part| Self { parts: vec![part] })
    }

    /// What it does, if it does one thing to several that have nothing to do with each other, none of which needs
    /// another transaction to land first.
    pub(crate) fn decision_that_commutes(&self) -> Option<&'static str> {
        let commutes = |decision: &Decision| {
            matches!(
                decision,
                Decision::ActivateUser { .. }
                    | Decision::CloseUser
                    | Decision::FinishBan
                    | Decision::ActivateLink { .. }
                    | Decision::ActivateTenant { .. }
                    | Decision::ActivateMulticastGroup { .. }
            )
        };
        let (first, _) = self.parts.first()?;
        let name = first.decision.name();
        let alike = |(action, _): &(&Action, Instruction)| action.decision.name() == name;
        (commutes(&first.decision) && self.parts.iter().all(alike)).then_some(name)
    }

    /// The instructions in order.
    pub(crate) fn instructions(&self) -> Vec<Instruction> {
        self.parts.iter().map(|(_, instruction)| instruction.clone()).collect()
    }
}

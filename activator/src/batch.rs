//! Transactions: consecutive actions of a plan that travel and land together.

use std::collections::BTreeSet;

use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::plan::{Action, Decision};

/// The most octets of a transaction (the payload of an IPv6 packet of minimum MTU).
const MAX_TRANSACTION: usize = 1232;

/// A transaction may use 1,400,000 compute units and each instruction brings 200,000 with it, so up to this many
/// instructions have as much to spend together as each would have alone.
pub const MAX_INSTRUCTIONS: usize = 7;

/// Actions that are sent as one transaction, each with its instruction.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// In order.
    pub parts: Vec<(&'a Action, Instruction)>,
}

impl<'a> Batch<'a> {
    /// Cuts a sequence of actions into transactions that fit, none with more than `limit` instructions. Order is kept.
    pub fn pack(payer: &Pubkey, parts: impl IntoIterator<Item = (&'a Action, Instruction)>, limit: usize) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::new();
        let mut size = Size::new(payer);
        for (action, instruction) in parts {
            let with = size.clone().with(&instruction);
            match batches.last_mut() {
                Some(batch) if batch.parts.len() < limit && with.bytes() <= MAX_TRANSACTION => {
                    batch.parts.push((action, instruction));
                    size = with;
                }
                _ => {
                    size = Size::new(payer).with(&instruction);
                    batches.push(Self { parts: vec![(action, instruction)] });
                }
            }
        }
        batches
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
    pub fn instructions(&self) -> Vec<Instruction> {
        self.parts.iter().map(|(_, instruction)| instruction.clone()).collect()
    }
}

/// The size of a transaction on the wire that one key signs: signature, header, keys, block hash, instructions.
#[derive(Clone)]
struct Size {
    keys: BTreeSet<Pubkey>,
    instructions: usize,
    instruction_bytes: usize,
}

impl Size {
    fn new(payer: &Pubkey) -> Self {
        Self { keys: BTreeSet::from([*payer]), instructions: 0, instruction_bytes: 0 }
    }

    fn with(mut self, instruction: &Instruction) -> Self {
        self.keys.insert(instruction.program_id);
        self.keys.extend(instruction.accounts.iter().map(|account| account.pubkey));
        let (accounts, data) = (instruction.accounts.len(), instruction.data.len());
        self.instructions += 1;
        self.instruction_bytes += 1 + length_prefix(accounts) + accounts + length_prefix(data) + data;
        self
    }

    fn bytes(&self) -> usize {
        const SIGNATURES: usize = 1 + 64;
        const HEADER: usize = 3;
        const HASH: usize = 32;
        let keys = length_prefix(self.keys.len()) + 32 * self.keys.len();
        SIGNATURES + HEADER + keys + HASH + length_prefix(self.instructions) + self.instruction_bytes
    }
}

/// Octets of a compact-u16: seven bits an octet.
fn length_prefix(length: usize) -> usize {
    match length {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use dz_sdk::program::state::AccountType;
    use solana_instruction::AccountMeta;

    use super::*;
    use crate::plan::Subject;

    fn action() -> Action {
        let subject = Subject { kind: AccountType::User, key: Pubkey::default(), label: "user".to_owned() };
        Action { subject, decision: Decision::CloseUser, reason: String::new() }
    }

    fn instruction(accounts: usize, data: usize) -> Instruction {
        let accounts = (0..accounts).map(|_| AccountMeta::new(Pubkey::new_unique(), false)).collect();
        Instruction { program_id: Pubkey::new_from_array([7; 32]), accounts, data: vec![0; data] }
    }

    fn sizes(instructions: Vec<Instruction>) -> Vec<usize> {
        let action = action();
        let parts = instructions.into_iter().map(|instruction| (&action, instruction));
        let batches = Batch::pack(&Pubkey::new_from_array([1; 32]), parts, MAX_INSTRUCTIONS);
        batches.iter().map(|batch| batch.parts.len()).collect()
    }

    #[test]
    fn small_instructions_share_a_transaction_up_to_the_limit() {
        assert_eq!(sizes(Vec::new()), Vec::<usize>::new());
        assert_eq!(sizes((0..16).map(|_| instruction(0, 1)).collect()), [7, 7, 2]);
    }

    #[test]
    fn a_transaction_never_exceeds_the_packet() {
        // 15 new keys of 32 octets each, and an index octet for each: two fit, three do not.
        assert_eq!(sizes((0..5).map(|_| instruction(15, 10)).collect()), [2, 2, 1]);
    }

    #[test]
    fn the_size_is_that_of_the_wire_format() {
        // One signature, two keys, one instruction with 200 octets of data, which take a prefix of two.
        let size = Size::new(&Pubkey::new_from_array([1; 32])).with(&instruction(0, 200));
        assert_eq!(size.bytes(), 65 + 3 + (1 + 2 * 32) + 32 + 1 + (1 + 1 + 2 + 200));
    }
}

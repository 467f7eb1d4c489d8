//! History of what landed: one block for each slot, its transaction, and which blockhashes and messages are remembered. Pure.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use solana_clock::{Slot, UnixTimestamp};
use solana_hash::Hash;
use solana_message::{inner_instruction::InnerInstructions, v0::LoadedAddresses};
use solana_pubkey::Pubkey;
use solana_sha256_hasher::hashv;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_context::transaction::TransactionReturnData;
use solana_transaction_error::TransactionError;

/// The first slot that clients see: the genesis is slot 0, and its child is the bank they meet.
pub(crate) const FIRST_SLOT: Slot = 1;

/// What a slot lasts in chain time, in milliseconds.
pub(crate) const SLOT_MS: i64 = 400;

/// Bytes that a program gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnData {
    /// The program.
    pub program: Pubkey,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl From<TransactionReturnData> for ReturnData {
    fn from(data: TransactionReturnData) -> Self {
        Self { program: data.program_id, data: data.data }
    }
}

/// A transaction that landed, and what it did.
#[derive(Clone, Debug)]
pub struct TransactionRecord {
    /// Its first signature, which names it.
    pub signature: Signature,
    /// The slot it landed in: the chain's revision after it.
    pub slot: Slot,
    /// As it was sent.
    pub transaction: VersionedTransaction,
    /// The addresses its lookup tables gave it.
    pub loaded: LoadedAddresses,
    /// Why it failed, if it did; it then has changed nothing but the payer's balance.
    pub error: Option<TransactionError>,
    /// What its programs said.
    pub logs: Vec<String>,
    /// Compute units used.
    pub units: u64,
    /// What its last program gave back.
    pub return_data: Option<ReturnData>,
    /// The instructions its programs invoked, by outer instruction; not known without a preflight.
    pub inner: Option<Vec<InnerInstructions>>,
    /// Lamports before it of all its accounts, in the order of [`Self::addresses`].
    pub balances_before: Vec<u64>,
    /// Lamports after it.
    pub balances_after: Vec<u64>,
    /// What it paid, in lamports.
    pub fee: u64,
}

impl TransactionRecord {
    /// All its accounts: its own, then those that lookup tables gave, writable first.
    pub fn addresses(&self) -> impl Iterator<Item = &Pubkey> {
        let own = self.transaction.message.static_account_keys();
        own.iter().chain(&self.loaded.writable).chain(&self.loaded.readonly)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) slot: Slot,
    pub(crate) parent: Slot,
    /// Whether the chain has gone on from an earlier slot: nobody is shown it any more.
    pub(crate) lost: bool,
    pub(crate) blockhash: Hash,
    pub(crate) time: UnixTimestamp,
    /// None in the first slot.
    pub(crate) transaction: Option<Arc<TransactionRecord>>,
}

#[derive(Debug)]
pub(crate) struct History {
    seed: u64,
    genesis_time: UnixTimestamp,
    capacity: usize,
    lifetime: Slot,
    /// Without gaps, oldest first; never empty.
    blocks: VecDeque<Block>,
    by_signature: HashMap<Signature, Slot>,
    by_blockhash: HashMap<Hash, Slot>,
    by_message: HashMap<Hash, Slot>,
    by_address: HashMap<Pubkey, VecDeque<Slot>>,
    landed: u64,
    /// What the next slot is on top of.
    tip: Slot,
}

impl History {
    pub(crate) fn new(seed: u64, genesis_time: UnixTimestamp, capacity: usize, lifetime: Slot) -> Self {
        let mut history = Self {
            seed,
            genesis_time,
            capacity: capacity.max(1),
            lifetime,
            blocks: VecDeque::new(),
            by_signature: HashMap::new(),
            by_blockhash: HashMap::new(),
            by_message: HashMap::new(),
            by_address: HashMap::new(),
            landed: 0,
            tip: FIRST_SLOT - 1,
        };
        history.push(FIRST_SLOT, None);
        history
    }

    pub(crate) fn genesis_hash(&self) -> Hash {
        hashv(&[b"dzsim genesis", &self.seed.to_le_bytes()])
    }

    /// The blockhash of a slot, known in advance: the same for the same seed.
    pub(crate) fn blockhash_of(&self, slot: Slot) -> Hash {
        hashv(&[b"dzsim blockhash", &self.seed.to_le_bytes(), &slot.to_le_bytes()])
    }

    pub(crate) fn time_of(&self, slot: Slot) -> UnixTimestamp {
        self.genesis_time.saturating_add((slot as i64).saturating_mul(SLOT_MS) / 1000)
    }

    pub(crate) fn latest(&self) -> Slot {
        self.blocks.back().map_or(FIRST_SLOT, |block| block.slot)
    }

    pub(crate) fn oldest(&self) -> Slot {
        self.blocks.front().map_or(FIRST_SLOT, |block| block.slot)
    }

    /// How many transactions have landed since genesis.
    pub(crate) fn landed(&self) -> u64 {
        self.landed
    }

    /// The slot that the next is on top of: the latest, unless that is lost.
    pub(crate) fn tip(&self) -> Slot {
        self.tip
    }

    /// Goes on from an earlier slot: the last `count` slots and their transactions are as if they had never been. Returns
    /// which; none, and nothing has changed, if not that many can be lost.
    pub(crate) fn lose(&mut self, count: u64) -> Option<Vec<Slot>> {
        let mut lost = Vec::new();
        let mut tip = self.tip;
        for _ in 0..count {
            let block = self.block(tip).filter(|block| block.transaction.is_some())?;
            lost.push(tip);
            tip = block.parent;
        }
        self.tip = tip;
        for slot in &lost {
            let index = (slot - self.oldest()) as usize;
            let Some(block) = self.blocks.get_mut(index) else { continue };
            block.lost = true;
            let (blockhash, transaction) = (block.blockhash, block.transaction.take());
            self.by_blockhash.remove(&blockhash);
            let Some(record) = transaction else { continue };
            self.landed -= 1;
            self.forget(&record, VecDeque::pop_back);
        }
        Some(lost)
    }

    pub(crate) fn block(&self, slot: Slot) -> Option<&Block> {
        let index = usize::try_from(slot.checked_sub(self.oldest())?).ok()?;
        self.blocks.get(index)
    }

    pub(crate) fn transaction(&self, signature: &Signature) -> Option<&Arc<TransactionRecord>> {
        self.block(*self.by_signature.get(signature)?)?.transaction.as_ref()
    }

    /// The transactions that name an address, newest first.
    pub(crate) fn of_address(&self, address: &Pubkey) -> impl Iterator<Item = &Arc<TransactionRecord>> {
        let slots = self.by_address.get(address).into_iter().flatten().rev();
        slots.filter_map(|slot| self.block(*slot)?.transaction.as_ref())
    }

    /// Whether a transaction with this message has landed.
    pub(crate) fn has_message(&self, message: &Hash) -> bool {
        self.by_message.contains_key(message)
    }

    /// The slot of a blockhash that a transaction may still name when the latest slot is `at`.
    pub(crate) fn valid_blockhash(&self, blockhash: &Hash, at: Slot) -> Option<Slot> {
        let slot = *self.by_blockhash.get(blockhash)?;
        (slot <= at && at <= self.last_valid(slot)).then_some(slot)
    }

    /// The last slot at which the blockhash of `slot` may be named.
    pub(crate) fn last_valid(&self, slot: Slot) -> Slot {
        slot.saturating_add(self.lifetime)
    }

    /// Appends what landed; its slot is the one after the latest.
    pub(crate) fn append(&mut self, transaction: Arc<TransactionRecord>, message: Hash) {
        let slot = transaction.slot;
        self.by_signature.insert(transaction.signature, slot);
        self.by_message.insert(message, slot);
        for address in transaction.addresses() {
            self.by_address.entry(*address).or_default().push_back(slot);
        }
        self.landed += 1;
        self.push(slot, Some(transaction));
        if self.blocks.len() > self.capacity {
            self.forget_oldest();
        }
    }

    fn push(&mut self, slot: Slot, transaction: Option<Arc<TransactionRecord>>) {
        let blockhash = self.blockhash_of(slot);
        self.by_blockhash.insert(blockhash, slot);
        let (parent, time) = (self.tip, self.time_of(slot));
        self.tip = slot;
        self.blocks.push_back(Block { slot, parent, lost: false, blockhash, time, transaction });
    }

    fn forget_oldest(&mut self) {
        let Some(block) = self.blocks.pop_front() else { return };
        self.by_blockhash.remove(&block.blockhash);
        if let Some(transaction) = block.transaction {
            self.forget(&transaction, VecDeque::pop_front);
        }
    }

    /// Takes a transaction out of all indexes; `pop` takes its slot off those of an address.
    fn forget(&mut self, transaction: &TransactionRecord, pop: fn(&mut VecDeque<Slot>) -> Option<Slot>) {
        self.by_signature.remove(&transaction.signature);
        self.by_message.remove(&transaction.transaction.message.hash());
        for address in transaction.addresses() {
            if let Some(slots) = self.by_address.get_mut(address) {
                pop(slots);
                if slots.is_empty() {
                    self.by_address.remove(address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use solana_message::{Message, VersionedMessage};

    use super::*;

    fn record(slot: Slot) -> Arc<TransactionRecord> {
        let mut bytes = [0; 64];
        bytes[..8].copy_from_slice(&slot.to_le_bytes());
        let message = Message {
            account_keys: vec![Pubkey::new_from_array([9; 32])],
            recent_blockhash: Hash::new_from_array([slot as u8; 32]),
            ..Message::default()
        };
        Arc::new(TransactionRecord {
            signature: Signature::from(bytes),
            slot,
            transaction: VersionedTransaction {
                signatures: vec![Signature::from(bytes)],
                message: VersionedMessage::Legacy(message),
            },
            loaded: LoadedAddresses::default(),
            error: None,
            logs: Vec::new(),
            units: 0,
            return_data: None,
            inner: None,
            balances_before: vec![0],
            balances_after: vec![0],
            fee: 0,
        })
    }

    fn filled(capacity: usize, lifetime: Slot, to: Slot) -> History {
        let mut history = History::new(7, 1000, capacity, lifetime);
        for slot in 2..=to {
            let record = record(slot);
            let message = record.transaction.message.hash();
            history.append(record, message);
        }
        history
    }

    #[test]
    fn the_same_seed_gives_the_same_hashes() {
        let (one, two) = (filled(8, 8, 3), filled(8, 8, 3));
        assert_eq!(one.genesis_hash(), two.genesis_hash());
        assert_eq!(one.block(3).map(|block| block.blockhash), two.block(3).map(|block| block.blockhash));
        assert_ne!(one.blockhash_of(2), one.blockhash_of(3));
    }

    #[test]
    fn a_forgotten_slot_leaves_nothing_behind() {
        let history = filled(3, 3, 9);
        assert_eq!((history.oldest(), history.latest(), history.landed()), (7, 9, 8));
        assert!(history.transaction(&record(6).signature).is_none());
        assert!(!history.has_message(&record(6).transaction.message.hash()));
        assert!(history.has_message(&record(7).transaction.message.hash()));
        let sizes = (history.by_signature.len(), history.by_blockhash.len(), history.by_message.len());
        assert_eq!(sizes, (3, 3, 3));
        let of_address: Vec<_> =
            history.of_address(&Pubkey::new_from_array([9; 32])).map(|record| record.slot).collect();
        assert_eq!(of_address, [9, 8, 7]);
    }

    #[test]
    fn lost_slots_leave_nothing_behind_and_the_chain_goes_on_from_before_them() {
        let mut history = filled(8, 8, 5);
        assert_eq!(history.lose(9), None);
        assert_eq!((history.tip(), history.landed()), (5, 4));
        assert_eq!(history.lose(2), Some(vec![5, 4]));
        assert_eq!((history.tip(), history.latest(), history.landed()), (3, 5, 2));
        assert!(history.transaction(&record(4).signature).is_none());
        assert!(!history.has_message(&record(5).transaction.message.hash()));
        assert_eq!(history.valid_blockhash(&history.blockhash_of(4), 5), None);
        history.append(record(6), record(6).transaction.message.hash());
        let shown: Vec<_> = (3..=6).filter_map(|slot| history.block(slot)).map(|it| (it.parent, it.lost)).collect();
        assert_eq!(shown, [(2, false), (3, true), (4, true), (3, false)]);
        let of_address: Vec<_> =
            history.of_address(&Pubkey::new_from_array([9; 32])).map(|record| record.slot).collect();
        assert_eq!(of_address, [6, 3, 2]);
        // What is lost next is the slot after them, then what was before them.
        assert_eq!(history.lose(2), Some(vec![6, 3]));
    }

    #[test]
    fn a_blockhash_is_good_for_its_lifetime_and_not_before_its_slot() {
        let history = filled(100, 2, 6);
        let blockhash = history.blockhash_of(3);
        let valid: Vec<_> = (2..=6).map(|at| history.valid_blockhash(&blockhash, at).is_some()).collect();
        assert_eq!(valid, [false, true, true, true, false]);
        assert_eq!(history.valid_blockhash(&Hash::new_from_array([1; 32]), 6), None);
    }

    #[test]
    fn chain_time_runs_with_the_slots() {
        let history = filled(8, 8, 6);
        assert_eq!([1, 2, 5, 6].map(|slot| history.time_of(slot)), [1000, 1000, 1002, 1002]);
    }
}

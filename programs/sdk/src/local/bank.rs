//! Accounts in a map, and transactions over them: all of one or none of it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use dz_serviceability::{entrypoint, error::ServiceabilityError, upgrade};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{host::LocalHost, input::Input, record::Record};
use crate::{
    instruction::CLOCK,
    view::{NetworkView, ViewError},
};

/// Why a transaction did not land. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalError {
    /// The program refused.
    #[error("instruction {instruction}: {error}")]
    Refused {
        /// Which instruction of the transaction.
        instruction: usize,
        /// The program's reason.
        error: ServiceabilityError,
    },
    /// The program broke a rule that a bank would have held it to: a fault of the program.
    #[error("instruction {instruction}: {rule}")]
    Broken {
        /// Which instruction of the transaction.
        instruction: usize,
        /// The rule.
        rule: String,
    },
    /// A signer did not sign, or the instruction is for another program.
    #[error("instruction {instruction}: {reason}")]
    Malformed {
        /// Which instruction of the transaction.
        instruction: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What a slot changed: each account as it was before and as it is after.
pub(super) type SlotChanges = BTreeMap<Pubkey, (Record, Record)>;

/// All accounts.
#[derive(Clone, Debug)]
pub struct LocalBank {
    program: Pubkey,
    slot: u64,
    accounts: BTreeMap<Pubkey, Record>,
    changed: BTreeSet<Pubkey>,
    log: Vec<String>,
    /// The last slots, oldest first.
    history: VecDeque<(u64, SlotChanges)>,
    /// The parent of each slot that is not on top of the one before it.
    parents: BTreeMap<u64, u64>,
    /// How many slots the history holds.
    remembered: usize,
}

impl LocalBank {
    /// An empty chain in epoch 0 with this program, which this key may upgrade.
    pub fn new(program: Pubkey, authority: &Pubkey) -> Self {
        let mut bank = Self {
            program,
            slot: 1,
            accounts: BTreeMap::new(),
            changed: BTreeSet::new(),
            log: Vec::new(),
            history: VecDeque::new(),
            parents: BTreeMap::new(),
            remembered: 0,
        };
        bank.set_epoch(0);
        let record = Record { lamports: 1, data: upgrade::header(authority), owner: upgrade::LOADER };
        bank.accounts.insert(upgrade::program_data(&program), record);
        bank
    }

    /// Remembers this number of slots from now on: stale reads and notifications slot by slot need them.
    pub fn remember(mut self, slots: usize) -> Self {
        self.remembered = slots;
        self
    }

    /// Lets it be this epoch.
    pub fn set_epoch(&mut self, epoch: u64) {
        // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp
        let data = [self.slot, 0, epoch, epoch, 0].iter().flat_map(|field| field.to_le_bytes()).collect();
        self.accounts.insert(CLOCK, Record { lamports: 1, data, ..Record::default() });
    }

    /// Gives a key something to pay with.
    pub fn airdrop(&mut self, key: Pubkey, lamports: u64) {
        self.accounts.entry(key).or_default().lamports += lamports;
    }

    /// The program.
    pub fn program(&self) -> Pubkey {
        self.program
    }

    /// The slot of the last transaction.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// All accounts, the program's and others.
    pub fn accounts(&self) -> &BTreeMap<Pubkey, Record> {
        &self.accounts
    }

    /// Puts an account in, as a test that needs a strange one does.
    pub fn set_account(&mut self, key: Pubkey, record: Record) {
        self.changed.insert(key);
        self.accounts.insert(key, record);
    }

    /// What the last transaction logged.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// The view of the program's accounts.
    ///
    /// # Errors
    /// An account does not decode, or the program refuses; nothing has changed then.
    pub fn view(&self) -> Result<NetworkView, ViewError> {
        let own = self.accounts.iter().filter(|(_, record)| record.owner == self.program);
        NetworkView::from_accounts(self.program, self.slot, own.map(|(key, record)| (*key, record.data.as_slice())))
    }

    /// The view of the program's accounts as of this number of slots ago, or of the oldest slot that is remembered.
    ///
    /// # Errors
    /// An account that cannot be decoded.
    pub fn view_before(&self, slots: u64) -> Result<NetworkView, ViewError> {
        let slot = self.slot.saturating_sub(slots);
        let mut view = self.view()?;
        for (changed_in, changes) in self.history.iter().rev().take_while(|(changed_in, _)| *changed_in > slot) {
            for (key, (before, _)) in changes {
                view.set_account(*key, before.data_of(&self.program))?;
            }
            view.set_slot(changed_in - 1);
        }
        Ok(view)
    }

    /// The slot that a slot is on top of.
    pub(super) fn parent(&self, slot: u64) -> u64 {
        self.parents.get(&slot).copied().unwrap_or(slot - 1)
    }

    /// Loses the last slots, as a chain does that goes on from an earlier one: what they changed is as it was before them.
    /// The next slot, an empty one, is on top of the last that is left. Returns false, and changes nothing, if not that many
    /// are remembered.
    pub fn lose(&mut self, slots: u64) -> bool {
        let mut left = self.slot;
        let mut changes = SlotChanges::new();
        for _ in 0..slots {
            let Some((_, lost)) = self.history.iter().rev().find(|(slot, _)| *slot == left) else { return false };
            // A slot after lost ones has changed nothing that its parent had.
            if !self.parents.contains_key(&left) {
                for (key, (before, after)) in lost {
                    changes.entry(*key).or_insert_with(|| (after.clone(), Record::default())).1 = before.clone();
                }
            }
            left = self.parent(left);
        }
        for (key, (_, restored)) in &changes {
            self.changed.insert(*key);
            match *restored == Record::default() {
                true => self.accounts.remove(key),
                false => self.accounts.insert(*key, restored.clone()),
            };
        }
        self.slot += 1;
        self.parents.insert(self.slot, left);
        self.push(changes);
        true
    }

    /// Remembers what the latest slot has changed.
    fn push(&mut self, changes: SlotChanges) {
        self.history.push_back((self.slot, changes));
        self.history.drain(..self.history.len().saturating_sub(self.remembered));
    }

    /// What each slot after this one has changed; none if that is no longer remembered.
    pub(super) fn changes_after(&self, slot: u64) -> Option<impl Iterator<Item = (u64, &SlotChanges)>> {
        let known = self.history.front().map_or(self.slot, |(oldest, _)| oldest - 1);
        let later = self.history.iter().skip_while(move |(changed_in, _)| *changed_in <= slot);
        (slot >= known).then(|| later.map(|(slot, changes)| (*slot, changes)))
    }

    /// Whether anything has changed since the last refresh of a view.
    pub(super) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Brings a view of an earlier slot up to date; costs what has changed since the last call.
    ///
    /// # Errors
    /// An account does not decode, or the program refuses; nothing has changed then.
    pub fn refresh(&mut self, view: &mut NetworkView) -> Result<(), ViewError> {
        for key in std::mem::take(&mut self.changed) {
            let record = self.accounts.get(&key).filter(|record| record.owner == self.program);
            view.set_account(key, record.map_or(&[], |record| record.data.as_slice()))?;
        }
        view.set_slot(self.slot);
        Ok(())
    }

    /// Carries out one transaction signed by these keys; returns its slot.
    ///
    /// # Errors
    /// An account does not decode, or the program refuses; nothing has changed then.
    pub fn execute(&mut self, signers: &[Pubkey], instructions: &[Instruction]) -> Result<u64, LocalError> {
        self.log.clear();
        let mut touched = BTreeMap::new();
        for (index, instruction) in instructions.iter().enumerate() {
            self.step(index, signers, instruction, &mut touched)?;
        }
        self.slot += 1;
        let mut changes = SlotChanges::new();
        for (key, record) in touched {
            self.changed.insert(key);
            let after = (self.remembered > 0).then(|| record.clone());
            let before = match record == Record::default() {
                true => self.accounts.remove(&key),
                false => self.accounts.insert(key, record),
            };
            if let Some(after) = after {
                changes.insert(key, (before.unwrap_or_default(), after));
            }
        }
        if self.remembered > 0 {
            self.push(changes);
        }
        Ok(self.slot)
    }

    fn step(
        &mut self,
        index: usize,
        signers: &[Pubkey],
        instruction: &Instruction,
        touched: &mut BTreeMap<Pubkey, Record>,
    ) -> Result<(), LocalError> {
        let malformed = |reason| Err(LocalError::Malformed { instruction: index, reason });
        if instruction.program_id != self.program {
            return malformed("the instruction is for another program");
        }
        if instruction.accounts.iter().any(|meta| meta.is_signer && !signers.contains(&meta.pubkey)) {
            return malformed("a signature is missing");
        }
        let record = |key: &Pubkey| touched.get(key).or_else(|| self.accounts.get(key)).cloned().unwrap_or_default();
        let host = LocalHost { program: self.program, log: RefCell::default() };
        let input = Input::new(instruction, signers, record);
        let outcome = input.run(|program, infos, data| {
            entrypoint::process(&host, program, infos, data)
                .map_err(|error| LocalError::Refused { instruction: index, error })?;
            let broken = |rule| LocalError::Broken { instruction: index, rule };
            let (mut before, mut after) = (0u128, 0u128);
            let mut changes: BTreeMap<Pubkey, Record> = BTreeMap::new();
            for info in infos {
                let now = Record { lamports: info.lamports(), data: info.data.borrow().to_vec(), owner: *info.owner };
                let old = record(info.key);
                if changes.insert(*info.key, now.clone()).is_some() {
                    continue;
                }
                before += u128::from(old.lamports);
                after += u128::from(now.lamports);
                if !info.is_writable && now != old {
                    return Err(broken(format!("{} changed and is not writable", info.key)));
                }
                let poor = now.owner == *program
                    && now.lamports < dz_serviceability::host::Host::minimum_balance(&host, now.data.len());
                if poor {
                    return Err(broken(format!("{} does not pay its rent", info.key)));
                }
            }
            if before != after {
                return Err(broken("lamports appeared or vanished".to_owned()));
            }
            Ok(changes)
        });
        self.log.extend(host.log.into_inner());
        touched.extend(outcome?);
        Ok(())
    }
}

//! The chain: takes transactions one after the other, lets the bank execute them and turns each that lands into the
//! next slot. One owner, on the bank's thread.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use solana_account::Account;
use solana_clock::Slot;
use solana_hash::Hash;
use solana_message::{VersionedMessage, inner_instruction::InnerInstructions, v0::LoadedAddresses};
use solana_pubkey::{Pubkey, pubkey};
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use crate::{
    accounts::{AccountChange, AccountIndex, Lookup},
    bank::{Bank, BankError, Execution, Simulation},
    config::LedgerConfig,
    history::{FIRST_SLOT, History, ReturnData, TransactionRecord},
    logs::once_each,
    message::{fee_message, look_up, writable},
    pubsub::Texts,
    replica::{Landed, Replica, clock_account},
};

const CLOCK: Pubkey = pubkey!("SysvarC1ock11111111111111111111111111111111");

/// Programs that ask the bank for its slot: what they do shows only in a later slot of the bank itself.
const ASK_THE_BANK: [Pubkey; 4] = [
    pubkey!("AddressLookupTab1e1111111111111111111111111"),
    pubkey!("BPFLoader2111111111111111111111111111111111"),
    pubkey!("BPFLoaderUpgradeab1e11111111111111111111111"),
    pubkey!("LoaderV411111111111111111111111111111111111"),
];

/// What a simulation showed of a transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// What its programs said.
    pub logs: Vec<String>,
    /// Compute units used.
    pub units: u64,
    /// Bytes of the accounts it loaded.
    pub loaded_bytes: u32,
    /// What its last program gave back.
    pub return_data: Option<ReturnData>,
    /// The instructions its programs invoked, by outer instruction.
    pub inner: Option<Vec<InnerInstructions>>,
}

/// A transaction that was not taken; nothing has changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// Why.
    pub error: TransactionError,
    /// How far it came in the preflight.
    pub trace: Trace,
}

impl From<TransactionError> for Refusal {
    fn from(error: TransactionError) -> Self {
        Self { error, trace: Trace::default() }
    }
}

/// What a transaction would do.
#[derive(Clone, Debug)]
pub(crate) struct Preview {
    pub(crate) slot: Slot,
    pub(crate) outcome: Result<(), TransactionError>,
    pub(crate) trace: Trace,
    pub(crate) addresses: LoadedAddresses,
    /// What it would leave in the accounts that were asked for.
    pub(crate) accounts: Vec<Option<Arc<Account>>>,
}

pub(crate) struct Chain {
    bank: Bank,
    replica: Arc<RwLock<Replica>>,
    /// Lamports of accounts that no transaction wrote, which therefore never change.
    untouched: HashMap<Pubkey, u64>,
    clock_like: Account,
}

impl Chain {
    pub(crate) fn start(config: &LedgerConfig) -> Result<Self, BankError> {
        let history =
            History::new(config.seed, config.genesis_time, config.limits.history, config.blockhash_lifetime());
        let mut bank = Bank::start(config)?;
        bank.set_clock(FIRST_SLOT, history.time_of(FIRST_SLOT));
        let mut accounts = AccountIndex::default();
        for (address, _) in &config.accounts {
            if let Some(account) = bank.account(address)? {
                accounts.genesis(*address, account);
            }
        }
        let clock_like = bank.account(&CLOCK)?.unwrap_or_default();
        accounts.genesis(CLOCK, clock_account(bank.clock(), &clock_like));
        let replica = Arc::new(RwLock::new(Replica { accounts, history, epochs: bank.epochs().clone() }));
        Ok(Self { bank, replica, untouched: HashMap::new(), clock_like })
    }

    pub(crate) fn replica(&self) -> &Arc<RwLock<Replica>> {
        &self.replica
    }

    /// Executes a transaction whose signatures were checked. With a preflight, one that would fail is refused; without,
    /// it lands as a failed one. What landed is in the replica when this returns.
    pub(crate) fn send(
        &mut self,
        transaction: VersionedTransaction,
        preflight: bool,
    ) -> Result<Result<Arc<Landed>, Refusal>, BankError> {
        let message = transaction.message.hash();
        if let Err(error) = self.admit(&transaction, &message) {
            return Ok(Err(error.into()));
        }
        let slot = self.latest() + 1;
        let loaded = match self.load(&transaction.message)? {
            Ok(loaded) => loaded,
            Err(error) => return Ok(Err(error.into())),
        };
        let asks_the_bank = asks_the_bank(&transaction.message);
        if asks_the_bank {
            self.show_slots()?;
        }
        self.tick(slot);
        let mut inner = None;
        if preflight {
            let (result, trace) = self.simulate_in_bank(&transaction)?;
            if let Err(error) = result {
                return Ok(Err(Refusal { error, trace }));
            }
            inner = trace.inner;
        }

        let writable = writable(&transaction.message, &loaded);
        let mut before = Vec::with_capacity(writable.len());
        for address in &writable {
            before.push(self.current(address)?);
        }
        let (result, metadata) = match self.bank.execute(&transaction)? {
            Execution::Refused(error) => return Ok(Err(error.into())),
            Execution::Landed { result, metadata } => (result, metadata),
        };
        let mut record = TransactionRecord {
            signature: transaction.signatures.first().copied().unwrap_or_default(),
            slot,
            loaded,
            error: result.err(),
            logs: once_each(metadata.log_messages),
            units: metadata.compute_units_consumed,
            return_data: metadata.return_data.map(ReturnData::from),
            inner,
            balances_before: Vec::new(),
            balances_after: Vec::new(),
            fee: 0,
            transaction,
        };
        let mut changes = Vec::with_capacity(writable.len() + 1);
        for (address, before) in writable.into_iter().zip(before) {
            let after = self.bank.account(&address)?.map(Arc::new);
            if before != after {
                changes.push(AccountChange { address, before, after });
            }
        }
        self.balance(&mut record, &changes)?;
        record.fee = self.bank.fee(fee_message(&record.transaction.message))?.unwrap_or_default();
        if asks_the_bank {
            self.bank.warp(slot + 1)?;
        }
        Ok(Ok(self.land(record, changes, message)))
    }

    /// What a transaction would do if it were sent now, and what it would leave in these accounts. Nothing of it is
    /// checked but what the bank checks; its blockhash only if `fresh` is asked for.
    pub(crate) fn simulate(
        &mut self,
        transaction: &VersionedTransaction,
        fresh: bool,
        watched: &[Pubkey],
    ) -> Result<Preview, BankError> {
        let slot = self.latest();
        let mut preview = Preview {
            slot,
            outcome: Ok(()),
            trace: Trace::default(),
            addresses: LoadedAddresses::default(),
            accounts: vec![None; watched.len()],
        };
        if fresh && let Err(error) = self.admit(transaction, &transaction.message.hash()) {
            preview.outcome = Err(error);
            return Ok(preview);
        }
        match self.load(&transaction.message)? {
            Ok(loaded) => preview.addresses = loaded,
            Err(error) => {
                preview.outcome = Err(error);
                return Ok(preview);
            }
        }
        self.tick(slot + 1);
        (preview.outcome, preview.trace) = self.simulate_in_bank(transaction)?;
        if preview.outcome.is_ok() && !watched.is_empty() && !asks_the_bank(&transaction.message) {
            preview.accounts = self.try_out(transaction, &preview.addresses, watched)?;
        }
        Ok(preview)
    }

    fn simulate_in_bank(
        &mut self,
        transaction: &VersionedTransaction,
    ) -> Result<(Result<(), TransactionError>, Trace), BankError> {
        let Simulation { result, details } = self.bank.simulate(transaction)?;
        let trace = details.map(|details| Trace {
            logs: once_each(details.logs),
            units: details.units_consumed,
            loaded_bytes: details.loaded_accounts_data_size,
            return_data: details.return_data.map(ReturnData::from),
            inner: details.inner_instructions,
        });
        Ok((result, trace.unwrap_or_default()))
    }

    /// Executes a transaction, reads accounts, and puts back what it wrote: a simulation alone does not hand out
    /// accounts. Nobody else uses the bank meanwhile.
    fn try_out(
        &mut self,
        transaction: &VersionedTransaction,
        loaded: &LoadedAddresses,
        watched: &[Pubkey],
    ) -> Result<Vec<Option<Arc<Account>>>, BankError> {
        let mut before = Vec::new();
        for address in writable(&transaction.message, loaded) {
            before.push((address, self.current(&address)?));
        }
        self.bank.execute(transaction)?;
        let after = self.read(watched)?;
        for (address, account) in before {
            self.bank.put_back(&address, account.as_deref());
        }
        Ok(after)
    }

    /// Accounts that no transaction wrote, as the bank has them.
    pub(crate) fn read(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Arc<Account>>>, BankError> {
        addresses.iter().map(|address| Ok(self.bank.account(address)?.map(Arc::new))).collect()
    }

    /// The fee of a message in lamports.
    pub(crate) fn fee(&mut self, message: &VersionedMessage) -> Result<Option<u64>, BankError> {
        self.bank.fee(fee_message(message))
    }

    fn latest(&self) -> Slot {
        read(&self.replica).history.latest()
    }

    /// What the chain checks itself and the bank does not.
    fn admit(&self, transaction: &VersionedTransaction, message: &Hash) -> Result<(), TransactionError> {
        let replica = read(&self.replica);
        if replica.history.has_message(message) {
            return Err(TransactionError::AlreadyProcessed);
        }
        let blockhash = transaction.message.recent_blockhash();
        let latest = replica.history.latest();
        if !transaction.uses_durable_nonce() && replica.history.valid_blockhash(blockhash, latest).is_none() {
            return Err(TransactionError::BlockhashNotFound);
        }
        Ok(())
    }

    /// Sets the clock that the next slot's programs see.
    fn tick(&mut self, slot: Slot) {
        let time = read(&self.replica).history.time_of(slot);
        self.bank.set_clock(slot, time);
    }

    /// Lets programs that look for a recent slot find those that clients know.
    fn show_slots(&mut self) -> Result<(), BankError> {
        let slots: Vec<(Slot, Hash)> = {
            let replica = read(&self.replica);
            let latest = replica.history.latest();
            (replica.history.oldest().max(latest.saturating_sub(511))..=latest)
                .map(|slot| (slot, replica.history.blockhash_of(slot)))
                .collect()
        };
        self.bank.set_slot_hashes(&slots);
        Ok(())
    }

    fn current(&self, address: &Pubkey) -> Result<Option<Arc<Account>>, BankError> {
        let known = {
            let replica = read(&self.replica);
            replica.accounts.get(address, replica.history.latest())
        };
        match known {
            Lookup::Known(account) => Ok(account),
            Lookup::Unwritten => Ok(self.bank.account(address)?.map(Arc::new)),
        }
    }

    /// The addresses that a message's lookup tables hold.
    fn load(&self, message: &VersionedMessage) -> Result<Result<LoadedAddresses, TransactionError>, BankError> {
        let mut loaded = LoadedAddresses::default();
        for lookup in message.address_table_lookups().unwrap_or_default() {
            let Some(table) = self.current(&lookup.account_key)? else {
                return Ok(Err(TransactionError::AddressLookupTableNotFound));
            };
            if let Err(error) = look_up(lookup, &table.data, &mut loaded) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(loaded))
    }

    fn balance(&mut self, record: &mut TransactionRecord, changes: &[AccountChange]) -> Result<(), BankError> {
        let lamports = |account: &Option<Arc<Account>>| account.as_ref().map_or(0, |account| account.lamports);
        let addresses: Vec<Pubkey> = record.addresses().copied().collect();
        for address in addresses {
            let (before, after) = match changes.iter().find(|change| change.address == address) {
                Some(change) => (lamports(&change.before), lamports(&change.after)),
                None => {
                    let unchanged = self.unchanged(&address)?;
                    (unchanged, unchanged)
                }
            };
            record.balances_before.push(before);
            record.balances_after.push(after);
        }
        Ok(())
    }

    fn unchanged(&mut self, address: &Pubkey) -> Result<u64, BankError> {
        let known = {
            let replica = read(&self.replica);
            replica.accounts.get(address, replica.history.latest())
        };
        if let Lookup::Known(account) = known {
            return Ok(account.map_or(0, |account| account.lamports));
        }
        if let Some(lamports) = self.untouched.get(address) {
            return Ok(*lamports);
        }
        let lamports = self.bank.account(address)?.map_or(0, |account| account.lamports);
        // Only what exists from genesis on is worth keeping; the rest a client could make up without end.
        if lamports > 0 {
            self.untouched.insert(*address, lamports);
        }
        Ok(lamports)
    }

    fn land(&mut self, record: TransactionRecord, mut changes: Vec<AccountChange>, message: Hash) -> Arc<Landed> {
        let clock = Arc::new(clock_account(self.bank.clock(), &self.clock_like));
        let mut replica = write(&self.replica);
        let slot = record.slot;
        if let Lookup::Known(before) = replica.accounts.get(&CLOCK, slot) {
            changes.push(AccountChange { address: CLOCK, before, after: Some(clock) });
        }
        let landed = Arc::new(Landed {
            slot,
            blockhash: replica.history.blockhash_of(slot),
            time: replica.history.time_of(slot),
            transaction: Arc::new(record),
            changes,
            texts: Texts::default(),
        });
        replica.apply(&landed, message);
        landed
    }
}

/// A poisoned lock is one whose writer panicked between two of its assignments; the ledger is then gone with its
/// thread, and readers may read what there is.
pub(crate) fn read(replica: &RwLock<Replica>) -> RwLockReadGuard<'_, Replica> {
    replica.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write(replica: &RwLock<Replica>) -> RwLockWriteGuard<'_, Replica> {
    replica.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn asks_the_bank(message: &VersionedMessage) -> bool {
    ASK_THE_BANK.iter().any(|id| message.static_account_keys().contains(id))
}

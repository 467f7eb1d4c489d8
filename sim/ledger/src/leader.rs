//! The chain: takes transactions one after the other, lets the bank execute them and turns each that lands into the
//! next slot. One owner, on the bank's thread.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use solana_account::Account;
use solana_clock::Slot;
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_message::{VersionedMessage, inner_instruction::InnerInstructions, v0::LoadedAddresses};
use solana_pubkey::{Pubkey, pubkey};
use solana_signer::Signer;
use solana_transaction::Transaction;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use crate::{
    accounts::{AccountChange, AccountIndex, Lookup},
    bank::{Bank, BankError, Execution, Simulation},
    config::LedgerConfig,
    history::{FIRST_SLOT, History, ReturnData, TransactionRecord},
    keys::faucet,
    logs::once_each,
    message::{fee_message, look_up, pays_for_signatures_only, writable},
    notification_texts::NotificationTexts,
    replica::{Landed, Replica, clock_account},
    verified_transaction::VerifiedTransaction,
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
    /// What it would pay, in lamports; none if it could not even be loaded.
    pub fee: Option<u64>,
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

impl Preview {
    /// Of a transaction that the bank need not be asked about.
    pub(crate) fn refused(slot: Slot, error: TransactionError, watched: usize) -> Self {
        Self {
            slot,
            outcome: Err(error),
            trace: Trace::default(),
            addresses: LoadedAddresses::default(),
            accounts: vec![None; watched],
        }
    }
}

pub(crate) struct Leader {
    bank: Bank,
    replica: Arc<RwLock<Replica>>,
    /// Lamports of accounts that no transaction wrote, which therefore never change.
    untouched: HashMap<Pubkey, u64>,
    /// Fees of messages that pay for their signatures only, by how many these are.
    fees: HashMap<u8, u64>,
    clock_like: Account,
    faucet: Keypair,
}

impl Leader {
    pub(crate) fn start(config: &LedgerConfig) -> Result<Self, BankError> {
        let history =
            History::new(config.seed, config.genesis_time, config.limits.history, config.blockhash_lifetime());
        let mut bank = Bank::start(config)?;
        bank.set_clock(FIRST_SLOT, history.time_of(FIRST_SLOT));
        let mut accounts = AccountIndex::default();
        let addresses: Vec<Pubkey> = config.accounts.iter().map(|(address, _)| *address).collect();
        for (address, account) in addresses.iter().zip(bank.accounts(&addresses)?) {
            if let Some(account) = account {
                accounts.genesis(*address, account);
            }
        }
        let clock_like = bank.account(&CLOCK)?.unwrap_or_default();
        accounts.genesis(CLOCK, clock_account(bank.clock(), &clock_like));
        let replica = Arc::new(RwLock::new(Replica { accounts, history, epochs: bank.epochs().clone() }));
        let faucet = faucet(config.seed);
        Ok(Self { bank, replica, untouched: HashMap::new(), fees: HashMap::new(), clock_like, faucet })
    }

    pub(crate) fn replica(&self) -> &Arc<RwLock<Replica>> {
        &self.replica
    }

    /// Executes a transaction. With a preflight, one that would fail is refused; without,
    /// it lands as a failed one. What landed is in the replica when this returns.
    pub(crate) fn send(
        &mut self,
        transaction: VerifiedTransaction,
        preflight: bool,
    ) -> Result<Result<Arc<Landed>, Refusal>, BankError> {
        let transaction = transaction.into_inner();
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
        let before = self.current(&writable)?;
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
        // One more for the clock.
        let mut changes = Vec::with_capacity(writable.len() + 1);
        let after = self.read(&writable)?;
        for ((address, before), after) in writable.into_iter().zip(before).zip(after) {
            if before != after {
                changes.push(AccountChange { address, before, after });
            }
        }
        self.balance(&mut record, &changes)?;
        record.fee = self.fee(&record.transaction.message)?.unwrap_or_default();
        if asks_the_bank {
            self.bank.warp(slot + 1)?;
            self.fees.clear();
        }
        Ok(Ok(self.land(record, changes, message)))
    }

    /// Loses the last slots, as a chain does that goes on from an earlier one: their transactions have never landed, and what
    /// they changed is as it was. On top of the last slot that is left comes a transfer of the faucet: subscribers of slots
    /// see it then. Returns none, and nothing has changed, if not that many can be lost.
    pub(crate) fn lose(&mut self, slots: u64) -> Result<Option<Arc<Landed>>, BankError> {
        let (undone, slot, recent) = {
            let mut replica = write(&self.replica);
            let slot = replica.history.latest() + 1;
            let Some(lost) = replica.history.lose(slots) else { return Ok(None) };
            let mut before = replica.accounts.before(&lost);
            before.remove(&CLOCK);
            let undone = before.into_iter().filter_map(|(address, before)| {
                let Lookup::Known(now) = replica.accounts.get(&address, slot) else { return None };
                Some(AccountChange { address, before: now, after: before })
            });
            let undone: Vec<_> = undone.collect();
            replica.accounts.apply(slot, &undone);
            (undone, slot, replica.history.blockhash_of(replica.history.tip()))
        };
        for change in undone {
            self.bank.put_back(&change.address, change.after.as_deref());
        }
        let faucet = self.faucet.pubkey();
        // Another amount each time: the same transfer twice would be one transaction.
        let transfer = solana_system_interface::instruction::transfer(&faucet, &faucet, slot);
        let transaction = Transaction::new_signed_with_payer(&[transfer], Some(&faucet), &[&self.faucet], recent);
        Ok(match VerifiedTransaction::new(transaction.into()) {
            Ok(transaction) => self.send(transaction, false)?.ok(),
            Err(_) => None,
        })
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
        if fresh && let Err(error) = self.admit(transaction, &transaction.message.hash()) {
            return Ok(Preview::refused(slot, error, watched.len()));
        }
        let addresses = match self.load(&transaction.message)? {
            Ok(loaded) => loaded,
            Err(error) => return Ok(Preview::refused(slot, error, watched.len())),
        };
        self.tick(slot + 1);
        let (outcome, trace) = self.simulate_in_bank(transaction)?;
        let accounts = match outcome.is_ok() && !watched.is_empty() && !asks_the_bank(&transaction.message) {
            true => self.try_out(transaction, &addresses, watched)?,
            false => vec![None; watched.len()],
        };
        Ok(Preview { slot, outcome, trace, addresses, accounts })
    }

    fn simulate_in_bank(
        &mut self,
        transaction: &VersionedTransaction,
    ) -> Result<(Result<(), TransactionError>, Trace), BankError> {
        let Simulation { result, details } = self.bank.simulate(transaction)?;
        let Some(details) = details else { return Ok((result, Trace::default())) };
        let fee = match details.loaded_accounts_data_size {
            0 => None,
            _ => self.fee(&transaction.message)?,
        };
        let trace = Trace {
            logs: once_each(details.logs),
            units: details.units_consumed,
            loaded_bytes: details.loaded_accounts_data_size,
            return_data: details.return_data.map(ReturnData::from),
            inner: details.inner_instructions,
            fee,
        };
        Ok((result, trace))
    }

    /// Executes a transaction, reads accounts, and puts back what it wrote: a simulation alone does not hand out
    /// accounts. Nothing else uses the bank meanwhile.
    fn try_out(
        &mut self,
        transaction: &VersionedTransaction,
        loaded: &LoadedAddresses,
        watched: &[Pubkey],
    ) -> Result<Vec<Option<Arc<Account>>>, BankError> {
        let addresses = writable(&transaction.message, loaded);
        let before = self.current(&addresses)?;
        self.bank.execute(transaction)?;
        let after = self.read(watched)?;
        for (address, account) in addresses.iter().zip(before) {
            self.bank.put_back(address, account.as_deref());
        }
        Ok(after)
    }

    /// Accounts that no transaction wrote, as the bank has them.
    pub(crate) fn read(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Arc<Account>>>, BankError> {
        Ok(self.bank.accounts(addresses)?.into_iter().map(|account| account.map(Arc::new)).collect())
    }

    /// The fee of a message in lamports.
    pub(crate) fn fee(&mut self, message: &VersionedMessage) -> Result<Option<u64>, BankError> {
        let signatures = pays_for_signatures_only(message).then_some(message.header().num_required_signatures);
        if let Some(fee) = signatures.and_then(|signatures| self.fees.get(&signatures)) {
            return Ok(Some(*fee));
        }
        let fee = self.bank.fee(fee_message(message))?;
        self.fees.extend(signatures.zip(fee));
        Ok(fee)
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

    /// Accounts as they are, in the order asked for.
    fn current(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Arc<Account>>>, BankError> {
        let known: Vec<Lookup> = {
            let replica = read(&self.replica);
            let latest = replica.history.latest();
            addresses.iter().map(|address| replica.accounts.get(address, latest)).collect()
        };
        let unwritten = |(address, known): (&Pubkey, &Lookup)| (*known == Lookup::Unwritten).then_some(*address);
        let unwritten: Vec<Pubkey> = addresses.iter().zip(&known).filter_map(unwritten).collect();
        let mut asked = self.read(&unwritten)?.into_iter();
        let account = |known| match known {
            Lookup::Known(account) => account,
            Lookup::Unwritten => asked.next().flatten(),
        };
        Ok(known.into_iter().map(account).collect())
    }

    /// The addresses that a message's lookup tables hold.
    fn load(&self, message: &VersionedMessage) -> Result<Result<LoadedAddresses, TransactionError>, BankError> {
        let mut loaded = LoadedAddresses::default();
        for lookup in message.address_table_lookups().unwrap_or_default() {
            let Some(table) = self.current(&[lookup.account_key])?.pop().flatten() else {
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
            parent: replica.history.tip(),
            blockhash: replica.history.blockhash_of(slot),
            time: replica.history.time_of(slot),
            transaction: Arc::new(record),
            changes,
            texts: NotificationTexts::default(),
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

//! The bank that `solana-program-test` holds, as one owner on one thread uses it: execute, simulate, read, set the
//! clock. Knows nothing of slots as clients see them, of history or of RPC.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use solana_account::Account;
use solana_banks_interface::{BanksTransactionResultWithSimulation, TransactionMetadata, TransactionSimulationDetails};
use solana_clock::{Clock, Slot};
use solana_epoch_schedule::EpochSchedule;
use solana_hash::Hash;
use solana_message::Message;
use solana_program_test::{BanksClientError, ProgramTest, ProgramTestContext, ProgramTestError, find_file};
use solana_pubkey::Pubkey;
use solana_slot_hashes::SlotHashes;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use tokio::runtime::{Builder, Runtime};

use crate::config::LedgerConfig;

/// Why the bank could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BankError {
    #[error("the bank's runtime: {0}")]
    Runtime(#[from] std::io::Error),
    #[error("the bank: {0}")]
    Client(#[from] Box<BanksClientError>),
    #[error("the bank: {0}")]
    Warp(#[from] ProgramTestError),
    #[error("program {0}: there is no native one, and {0}.so is not found")]
    NoProgram(&'static str),
}

impl From<BanksClientError> for BankError {
    fn from(error: BanksClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

/// What an execution left.
#[derive(Debug)]
pub(crate) enum Execution {
    /// The bank did not take the transaction; nothing has changed.
    Refused(TransactionError),
    /// It landed and paid its fee, whether it succeeded or not.
    Landed { result: Result<(), TransactionError>, metadata: TransactionMetadata },
}

/// What a simulation showed.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) result: Result<(), TransactionError>,
    /// None if the transaction could not even be loaded.
    pub(crate) details: Option<TransactionSimulationDetails>,
}

pub(crate) struct Bank {
    /// The bank's server runs on it, and only while it is driven from here, so between two calls nothing happens.
    runtime: Runtime,
    context: ProgramTestContext,
    clock: Clock,
    epochs: EpochSchedule,
    blockhash: Hash,
    blockhash_at: Instant,
}

/// `ProgramTestContext` registers a blockhash at most every 6.4 ms and the bank accepts the last 150 of them: one
/// that is younger than this is still good.
const BLOCKHASH_REFRESH: Duration = Duration::from_millis(500);

/// Held while the process's log level is borrowed, so that of two ledgers that start neither takes the other's for
/// the process's own.
static LOG_LEVEL: Mutex<()> = Mutex::new(());

/// `ProgramTest` puts its own logger in and turns the program's logs on; the process decides that, not we.
fn quiet_program_test() -> ProgramTest {
    let _alone = LOG_LEVEL.lock().unwrap_or_else(PoisonError::into_inner);
    let level = log::max_level();
    let test = ProgramTest::default();
    log::set_max_level(level);
    test
}

impl Bank {
    pub(crate) fn start(config: &LedgerConfig) -> Result<Self, BankError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut test = quiet_program_test();

        let shared_objects = ["BPF_OUT_DIR", "SBF_OUT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
        for program in &config.programs {
            let shared_object = find_file(&format!("{}.so", program.name)).is_some();
            if !shared_object && program.native.is_none() {
                return Err(BankError::NoProgram(program.name));
            }
            test.prefer_bpf(shared_object && (shared_objects || program.native.is_none()));
            test.add_program(program.name, program.id, program.native);
        }
        for (address, account) in &config.accounts {
            test.add_account(*address, account.clone());
        }
        let context = runtime.block_on(test.start_with_context());
        let clock = runtime.block_on(context.banks_client.get_sysvar::<Clock>())?;
        let epochs = runtime.block_on(context.banks_client.get_sysvar::<EpochSchedule>())?;
        let blockhash = context.last_blockhash;
        Ok(Self { runtime, context, clock, epochs, blockhash, blockhash_at: Instant::now() })
    }

    /// The clock as programs see it.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Which slots make which epoch.
    pub(crate) fn epochs(&self) -> &EpochSchedule {
        &self.epochs
    }

    /// Sets the clock. It stands for the slot: a child bank for each transaction would cost 2.7 ms and 160 KB that
    /// nothing frees, this costs 0.1 ms and nothing (docs/decisions/0040).
    pub(crate) fn set_clock(&mut self, slot: Slot, unix_timestamp: i64) {
        if self.clock.slot != slot || self.clock.unix_timestamp != unix_timestamp {
            self.clock.slot = slot;
            self.clock.unix_timestamp = unix_timestamp;
            self.clock.epoch = self.epochs.get_epoch(slot);
            self.clock.leader_schedule_epoch = self.epochs.get_leader_schedule_epoch(slot);
            self.context.set_sysvar(&self.clock);
        }
    }

    /// Sets the recent slots that programs can look up.
    pub(crate) fn set_slot_hashes(&self, slots: &[(Slot, Hash)]) {
        self.context.set_sysvar(&SlotHashes::new(slots));
    }

    /// Moves the bank itself on to this slot, for the few programs that ask the bank and not the clock.
    pub(crate) fn warp(&mut self, slot: Slot) -> Result<(), BankError> {
        self.context.warp_to_slot(slot)?;
        self.blockhash = self.context.last_blockhash;
        self.blockhash_at = Instant::now();
        self.context.set_sysvar(&self.clock);
        Ok(())
    }

    pub(crate) fn account(&self, address: &Pubkey) -> Result<Option<Account>, BankError> {
        Ok(self.runtime.block_on(self.context.banks_client.get_account(*address))?)
    }

    /// Accounts, in the order asked for. All are asked for before the first is waited for: the way to the bank's server
    /// costs more than an account does.
    pub(crate) fn accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<Account>>, BankError> {
        let one = |address: &Pubkey| self.context.banks_client.get_account(*address);
        Ok(self.runtime.block_on(try_join_all(addresses.iter().map(one)))?)
    }

    /// Makes an account what it was.
    pub(crate) fn put_back(&mut self, address: &Pubkey, account: Option<&Account>) {
        // An account without lamports is none.
        let account = account.cloned().unwrap_or_default();
        self.context.set_account(address, &account.into());
    }

    /// The fee of a message in lamports; its blockhash plays no part.
    pub(crate) fn fee(&mut self, mut message: Message) -> Result<Option<u64>, BankError> {
        self.refresh_blockhash()?;
        message.recent_blockhash = self.blockhash;
        Ok(self.runtime.block_on(self.context.banks_client.get_fee_for_message(message))?)
    }

    pub(crate) fn simulate(&mut self, transaction: &VersionedTransaction) -> Result<Simulation, BankError> {
        self.with_own_blockhash(transaction, |bank, transaction| {
            let BanksTransactionResultWithSimulation { result, simulation_details } =
                bank.runtime.block_on(bank.context.banks_client.simulate_transaction(transaction))?;
            let result = result.unwrap_or(Err(TransactionError::BlockhashNotFound));
            let duplicate = result == Err(TransactionError::AlreadyProcessed);
            Ok((Simulation { result, details: simulation_details }, duplicate))
        })
    }

    pub(crate) fn execute(&mut self, transaction: &VersionedTransaction) -> Result<Execution, BankError> {
        self.with_own_blockhash(transaction, |bank, transaction| {
            let done =
                bank.runtime.block_on(bank.context.banks_client.process_transaction_with_metadata(transaction))?;
            let duplicate = done.result == Err(TransactionError::AlreadyProcessed);
            let execution = match (done.result, done.metadata) {
                (Err(error), None) => Execution::Refused(error),
                (result, metadata) => Execution::Landed {
                    result,
                    metadata: metadata.unwrap_or(TransactionMetadata {
                        log_messages: Vec::new(),
                        compute_units_consumed: 0,
                        return_data: None,
                    }),
                },
            };
            Ok((execution, duplicate))
        })
    }

    /// Runs a transaction under the bank's own latest blockhash instead of the client's. The bank forgets a
    /// blockhash after 150 others, so its age says nothing here; the chain keeps its own list and has checked it.
    /// Two messages that differ in nothing but the client's blockhash are then one to the bank: the second waits for
    /// the bank's next blockhash, at most 6.4 ms.
    fn with_own_blockhash<T>(
        &mut self,
        transaction: &VersionedTransaction,
        run: impl Fn(&mut Self, VersionedTransaction) -> Result<(T, bool), BankError>,
    ) -> Result<T, BankError> {
        if transaction.uses_durable_nonce() {
            // A nonce advances only to a blockhash that it did not come from, and the bank's may be older than the
            // ledger's slot.
            self.latest_blockhash()?;
            self.next_blockhash()?;
            return Ok(run(self, transaction.clone())?.0);
        }
        self.refresh_blockhash()?;
        loop {
            let mut transaction = transaction.clone();
            transaction.message.set_recent_blockhash(self.blockhash);
            let (outcome, duplicate) = run(self, transaction)?;
            if !duplicate {
                return Ok(outcome);
            }
            self.next_blockhash()?;
        }
    }

    fn refresh_blockhash(&mut self) -> Result<(), BankError> {
        match self.blockhash_at.elapsed() > BLOCKHASH_REFRESH {
            true => self.latest_blockhash(),
            false => Ok(()),
        }
    }

    fn latest_blockhash(&mut self) -> Result<(), BankError> {
        self.blockhash = self.runtime.block_on(self.context.banks_client.get_latest_blockhash())?;
        self.blockhash_at = Instant::now();
        Ok(())
    }

    fn next_blockhash(&mut self) -> Result<(), BankError> {
        let last = self.blockhash;
        self.blockhash = self.runtime.block_on(async {
            loop {
                let blockhash = self.context.banks_client.get_latest_blockhash().await?;
                if blockhash != last {
                    return Ok::<_, BanksClientError>(blockhash);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })?;
        self.blockhash_at = Instant::now();
        Ok(())
    }
}

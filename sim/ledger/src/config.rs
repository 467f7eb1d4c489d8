//! Configuration of a ledger.

use std::{fmt, time::Duration};

use solana_account::Account;
use solana_clock::{Slot, UnixTimestamp};
use solana_program_runtime::invoke_context::BuiltinFunctionRegisterer;
use solana_pubkey::Pubkey;

/// A program that is there from genesis on.
#[derive(Clone)]
pub struct Program {
    /// Its address.
    pub id: Pubkey,
    /// The name of its shared object, without `.so`.
    pub name: &'static str,
    /// The natively built program, as `solana_program_test::processor!` makes it. It runs unless `SBF_OUT_DIR` (or
    /// `BPF_OUT_DIR`) is set and holds the shared object.
    pub native: Option<BuiltinFunctionRegisterer>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the ledger bounds, so that no client can take it from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once on one listener; a further one is answered with HTTP 429.
    pub connections_per_listener: usize,
    /// Bytes of one HTTP request body or WebSocket message.
    pub request_bytes: usize,
    /// Subscriptions of one connection.
    pub subscriptions_per_connection: usize,
    /// Notifications that may wait for a subscriber that does not read; one more and it is disconnected.
    pub notification_backlog: usize,
    /// Bytes of notifications that may wait for such a subscriber.
    pub notification_bytes: usize,
    /// How long a connection may stay silent before its first request, and between two.
    pub idle: Duration,
    /// How long the calls of a batch may take together; the rest of them is refused.
    pub batch: Duration,
    /// How long a client may be behind with taking an answer until its connection ends.
    pub write: Duration,
    /// Bytes of all long answers that wait for their clients; a request that would add to them is answered with HTTP
    /// 429.
    pub answer_bytes: usize,
    /// How many slots are remembered: their transactions, and their blockhashes as valid ones.
    pub history: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_listener: 256,
            // What a validator accepts.
            request_bytes: 50 * 1024,
            subscriptions_per_connection: 1024,
            notification_backlog: 4096,
            notification_bytes: 8 << 20,
            idle: Duration::from_secs(60),
            batch: Duration::from_secs(10),
            write: Duration::from_secs(10),
            answer_bytes: 128 << 20,
            history: 65_536,
        }
    }
}

/// The web pages that are answered, by the origin that browsers send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// None: any page opened in a browser of this machine could otherwise use the ledger.
    #[default]
    None,
    /// These, as in `http://localhost:3000`.
    These(Vec<String>),
    /// All.
    All,
}

/// What a ledger starts from.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// Decides the genesis hash, every blockhash, the faucet's key and the dice of the faults.
    pub seed: u64,
    /// The programs that are there from genesis on.
    pub programs: Vec<Program>,
    /// The accounts that are there from genesis on; a funded key is an account with lamports and nothing else.
    pub accounts: Vec<(Pubkey, Account)>,
    /// The time of genesis, in seconds since 1970; chain time then runs by 400 ms with each slot.
    pub genesis_time: UnixTimestamp,
    /// Slots after which a blockhash is no longer accepted; at most `limits.history`, and that if `None`. A validator
    /// takes 150, which here may pass in less than a second.
    pub blockhash_lifetime: Option<Slot>,
    /// Whether a program subscription is notified of an account that was closed (no lamports, no data, owned by the
    /// system program). A validator does not: it compares the owner after the transaction, which is no longer
    /// the program.
    pub announce_closed: bool,
    /// The web pages that are answered.
    pub origins: Origins,
    /// What the ledger bounds.
    pub limits: Limits,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            programs: Vec::new(),
            accounts: Vec::new(),
            // 2026-01-01, so that two runs of one scenario see the same clock.
            genesis_time: 1_767_225_600,
            blockhash_lifetime: None,
            announce_closed: true,
            origins: Origins::None,
            limits: Limits::default(),
        }
    }
}

impl LedgerConfig {
    /// Adds a program.
    #[must_use]
    pub fn program(mut self, id: Pubkey, name: &'static str, native: Option<BuiltinFunctionRegisterer>) -> Self {
        self.programs.push(Program { id, name, native });
        self
    }

    /// Adds an account that holds lamports and nothing else.
    #[must_use]
    pub fn fund(mut self, key: Pubkey, lamports: u64) -> Self {
        self.accounts.push((key, Account { lamports, ..Account::default() }));
        self
    }

    pub(crate) fn blockhash_lifetime(&self) -> Slot {
        let history = self.limits.history as Slot;
        self.blockhash_lifetime.map_or(history, |slots| slots.min(history))
    }
}

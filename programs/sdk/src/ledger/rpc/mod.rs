//! The ledger over Solana's JSON-RPC and its subscriptions. Works against a validator and against the simulated
//! ledger; asks nothing of either that the other does not do.

mod args;
mod error;
mod follow;
mod send;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use dz_service::Backoff;
use dz_serviceability::state::DecodeError;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    request::RpcRequest,
    response::{OptionalContext, RpcKeyedAccount},
};
use solana_signer::Signer;
use tokio::{sync::watch, task::AbortHandle};

pub use self::args::RpcArgs;
use self::{error::unavailable, follow::follow};
use super::{Landed, Ledger, LedgerError};
use crate::view::{NetworkView, ViewError};

/// Both the state that is read and the state that is waited for.
const COMMITMENT: CommitmentConfig = CommitmentConfig::confirmed();

/// How an [`RpcLedger`] behaves.
#[derive(Clone, Debug)]
pub struct RpcOptions {
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long a sent transaction may take to land.
    pub landing_timeout: Duration,
    /// The wait before the first new attempt after an outage; it doubles with each, up to `backoff_limit`.
    pub backoff_start: Duration,
    /// The longest wait between two attempts.
    pub backoff_limit: Duration,
    /// How often everything is read again although no gap was seen: a notification that got lost without a trace
    /// costs at most this.
    pub verify_every: Duration,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(10),
            landing_timeout: Duration::from_secs(60),
            backoff_start: Duration::from_millis(50),
            backoff_limit: Duration::from_secs(5),
            verify_every: Duration::from_secs(15),
        }
    }
}

/// The chain behind a pair of URLs, used by one key. Clones share one connection and one view; the last one that is
/// dropped ends them.
#[derive(Clone)]
pub struct RpcLedger {
    payer: Arc<Keypair>,
    inner: Arc<Inner>,
    views: watch::Sender<Option<Arc<NetworkView>>>,
    follower: Arc<AbortOnDrop>,
}

struct Inner {
    rpc: RpcClient,
    rpc_url: String,
    ws_url: String,
    program: Pubkey,
    options: RpcOptions,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RpcLedger {
    /// Starts following the chain; does not wait for it to be there. Must be called within a Tokio runtime.
    pub fn connect(rpc_url: impl Into<String>, ws_url: impl Into<String>, program: Pubkey, payer: Keypair) -> Self {
        Self::connect_with(rpc_url, ws_url, program, payer, RpcOptions::default())
    }

    /// The same, with options.
    pub fn connect_with(
        rpc_url: impl Into<String>,
        ws_url: impl Into<String>,
        program: Pubkey,
        payer: Keypair,
        options: RpcOptions,
    ) -> Self {
        let (rpc_url, ws_url) = (rpc_url.into(), ws_url.into());
        let rpc = RpcClient::new_with_timeout_and_commitment(rpc_url.clone(), options.request_timeout, COMMITMENT);
        let inner = Arc::new(Inner { rpc, rpc_url, ws_url, program, options });
        let views = watch::Sender::new(None);
        let task = tokio::spawn(follow(Arc::clone(&inner), views.clone()));
        Self { payer: Arc::new(payer), inner, views, follower: Arc::new(AbortOnDrop(task.abort_handle())) }
    }

    /// The same chain, with the same connection and view, used by another key.
    pub fn as_payer(&self, payer: Keypair) -> Self {
        Self { payer: Arc::new(payer), ..self.clone() }
    }

    /// False when the task that follows the chain has ended, which it does only by a fault of its own.
    pub fn is_following(&self) -> bool {
        !self.follower.0.is_finished()
    }
}

#[async_trait]
impl Ledger for RpcLedger {
    fn payer(&self) -> Pubkey {
        self.payer.pubkey()
    }

    fn program(&self) -> Pubkey {
        self.inner.program
    }

    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        let snapshot = self.inner.read_all().await?;
        let accounts = snapshot.accounts.iter().map(|(key, data)| (*key, data.as_slice()));
        Ok(Arc::new(NetworkView::from_accounts(self.inner.program, snapshot.slot, accounts)?))
    }

    async fn send(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        self.inner.send(&self.payer, instructions).await
    }

    async fn balance(&self) -> Result<u64, LedgerError> {
        let inner = &self.inner;
        let answer = inner.rpc.get_balance_with_commitment(&self.payer.pubkey(), COMMITMENT).await;
        answer.map(|answer| answer.value).map_err(|error| unavailable(&inner.rpc_url, &error))
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        self.views.subscribe()
    }
}

/// All accounts of the program at one slot.
struct Snapshot {
    slot: u64,
    accounts: Vec<(Pubkey, Vec<u8>)>,
}

fn account_config() -> RpcAccountInfoConfig {
    RpcAccountInfoConfig {
        // Accounts are too small for compression to be worth its time: a context of it for each of thousands.
        encoding: Some(UiAccountEncoding::Base64),
        commitment: Some(COMMITMENT),
        ..RpcAccountInfoConfig::default()
    }
}

fn program_config() -> RpcProgramAccountsConfig {
    RpcProgramAccountsConfig {
        account_config: account_config(),
        with_context: Some(true),
        ..RpcProgramAccountsConfig::default()
    }
}

impl Inner {
    /// The waits between two attempts of anything.
    fn backoff(&self) -> Backoff {
        Backoff::new(self.options.backoff_start, self.options.backoff_limit, rand::random())
    }

    async fn read_all(&self) -> Result<Snapshot, LedgerError> {
        let params = serde_json::json!([self.program.to_string(), program_config()]);
        let answer = self.rpc.send::<OptionalContext<Vec<RpcKeyedAccount>>>(RpcRequest::GetProgramAccounts, params);
        let OptionalContext::Context(answer) = answer.await.map_err(|error| unavailable(&self.rpc_url, &error))? else {
            let reason = "getProgramAccounts was answered without the slot it is of".to_owned();
            return Err(LedgerError::Unavailable { url: self.rpc_url.clone(), reason });
        };
        let accounts = answer.value.iter().map(|keyed| decode(keyed, &self.program)).collect::<Result<_, _>>()?;
        Ok(Snapshot { slot: answer.context.slot, accounts })
    }
}

/// The bytes of an account; none when it is no longer the program's, which is how a closed one looks.
fn decode(keyed: &RpcKeyedAccount, program: &Pubkey) -> Result<(Pubkey, Vec<u8>), ViewError> {
    let key: Pubkey = keyed.pubkey.parse().unwrap_or_default();
    if keyed.account.owner != program.to_string() {
        return Ok((key, Vec::new()));
    }
    let data = keyed.account.data.decode().ok_or(ViewError { account: key, source: DecodeError::Empty })?;
    Ok((key, data))
}

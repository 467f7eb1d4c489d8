//! JSON-RPC 2.0: from the bytes of a request to the text of its answer. The methods are in the submodules, by what
//! they are about.

pub(crate) mod accounts;
mod blocks;
mod cluster;
pub(crate) mod error;
pub(crate) mod params;
mod transactions;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use solana_clock::Slot;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::{
    config::RpcContextConfig,
    response::{Response, RpcResponseContext},
};

use tokio::{task::yield_now, time::Instant};

use self::{error::RpcError, params::Params};
use crate::{
    call_limits::Held,
    faults::{Client, Faults},
    leader::read,
    shared::Shared,
};

/// Calls in one batch; a further one is refused with all of them.
pub(crate) const MAX_BATCH: usize = 100;

/// Bytes after which the further calls of a batch are refused: a short batch can ask for many long answers.
const MAX_BATCH_ANSWER: usize = 32 << 20;

/// An answer that is longer than this is counted with those that wait for their clients, in bytes.
const LONG: usize = 64 * 1024;

/// What a request comes to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An answer; none for notifications.
    Answer(Option<Answer>),
    /// Too much waits for clients already.
    Busy,
    /// A fault: the connection is reset instead.
    Reset,
}

/// An answer on its way: its text in pieces, and the room that it takes.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) pieces: Vec<String>,
    pub(crate) held: Vec<Held>,
}

impl Answer {
    fn new(text: String) -> Self {
        Self { pieces: vec![text], held: Vec::new() }
    }
}

/// What one call comes to.
enum One {
    /// The text of its answer; none for a notification.
    Text(Option<String>),
    Reset,
}

/// A method's result: JSON, an error, or a fault that breaks the connection.
pub(crate) type MethodResult = Result<String, Failure>;

#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    Error(RpcError),
    Reset,
}

impl<E: Into<RpcError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// One call as it was read.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Params,
    /// None is a notification, which is not answered.
    pub(crate) id: Option<Value>,
}

/// One call, or what is answered to something that is none.
pub(crate) type Read = Result<Call, (RpcError, Value)>;

/// What one call is answered from.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) core: Arc<Shared>,
    pub(crate) client: Arc<Client>,
    pub(crate) faults: Faults,
    /// The slot that this client sees.
    pub(crate) slot: Slot,
}

impl Context {
    pub(crate) fn new(core: &Arc<Shared>, client: &Arc<Client>) -> Self {
        let faults = client.faults();
        let replica = read(&core.replica);
        let slot = replica.slot(faults.read_lag);
        if slot < replica.slot(0) {
            client.hits().stale += 1;
        }
        drop(replica);
        Self { core: Arc::clone(core), client: Arc::clone(client), faults, slot }
    }

    /// Runs a method whose answer may be long when it is its turn, away from the threads that answer the others.
    async fn in_turn(&self, params: Params, method: fn(&Self, Params) -> MethodResult) -> MethodResult {
        let context = self.clone();
        let result = self.core.call_limits.take(move || method(&context, params)).await;
        result.unwrap_or_else(|| Err(RpcError::internal("Internal error").into()))
    }

    /// Refuses to answer from before the slot that the client asks for.
    pub(crate) fn at_least(&self, min: Option<Slot>) -> Result<(), RpcError> {
        match min.is_some_and(|min| min > self.slot) {
            true => Err(RpcError::min_context_slot(self.slot)),
            false => Ok(()),
        }
    }

    /// Reads a parameter that says from which state to answer; every commitment is the same here, as all that landed
    /// is final.
    pub(crate) fn context_config(&self, params: &mut Params, index: usize) -> Result<(), RpcError> {
        let config: Option<RpcContextConfig> = params.optional(index, "config")?;
        self.at_least(config.and_then(|config| config.min_context_slot))
    }

    pub(crate) fn respond<T: Serialize>(&self, value: T) -> MethodResult {
        with_context(self.slot, value)
    }
}

/// A result with the slot it is of, as JSON.
pub(crate) fn with_context<T: Serialize>(slot: Slot, value: T) -> MethodResult {
    json(&Response { context: RpcResponseContext::new(slot), value })
}

/// Refuses a commitment that says nothing of the past: a validator does for blocks and transactions.
pub(crate) fn at_least_confirmed(commitment: Option<CommitmentConfig>) -> Result<(), RpcError> {
    match commitment.is_some_and(|commitment| !commitment.is_at_least_confirmed()) {
        true => Err(RpcError::commitment_below_confirmed()),
        false => Ok(()),
    }
}

/// A result as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> MethodResult {
    serde_json::to_string(value).map_err(|error| RpcError::internal(error.to_string()).into())
}

/// Answers the body of an HTTP request: a call or a batch of them.
pub(crate) async fn answer(core: &Arc<Shared>, client: &Arc<Client>, body: &[u8]) -> Outcome {
    // serde_json refuses to nest deeper than 128.
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Outcome::Answer(Some(Answer::new(error_text(&RpcError::parse(), &Value::Null))));
    };
    match body {
        Value::Array(calls) if calls.is_empty() || calls.len() > MAX_BATCH => {
            let error = RpcError::invalid_request(format!("a batch holds 1 to {MAX_BATCH} calls, got {}", calls.len()));
            Outcome::Answer(Some(Answer::new(error_text(&error, &Value::Null))))
        }
        Value::Array(calls) => answer_batch(core, client, calls).await,
        call => match answer_one(core, client, call).await {
            One::Text(None) => Outcome::Answer(None),
            One::Text(Some(text)) if text.len() <= LONG => Outcome::Answer(Some(Answer::new(text))),
            One::Text(Some(text)) => match core.call_limits.hold(text.len()) {
                Some(held) => Outcome::Answer(Some(Answer { pieces: vec![text], held: vec![held] })),
                None => Outcome::Busy,
            },
            One::Reset => Outcome::Reset,
        },
    }
}

/// Answers the calls one after the other, as long as the answer and the time it takes stay within their limits.
async fn answer_batch(core: &Arc<Shared>, client: &Arc<Client>, calls: Vec<Value>) -> Outcome {
    let (end, limit) = (Instant::now() + core.limits.batch, core.limits.batch);
    let mut answer = Answer::default();
    // What is counted, and what is not yet: many short answers are a long one.
    let (mut bytes, mut uncounted) = (0, 0);
    for call in calls {
        let refusal = if bytes > MAX_BATCH_ANSWER {
            Some(format!("the batch's answer is longer than {MAX_BATCH_ANSWER} bytes"))
        } else if Instant::now() >= end {
            Some(format!("the batch takes longer than {limit:?}"))
        } else {
            None
        };
        let text = if let Some(refusal) = refusal {
            let id = read_call(call).map_or_else(|(_, id)| id, |call| call.id.unwrap_or_default());
            Some(error_text(&RpcError::invalid_request(refusal), &id))
        } else {
            match answer_one(core, client, call).await {
                One::Text(text) => text,
                One::Reset => return Outcome::Reset,
            }
        };
        // The next call of another connection comes before the next of this one.
        yield_now().await;
        let Some(text) = text else { continue };
        bytes += text.len();
        uncounted += text.len();
        if uncounted > LONG {
            let Some(held) = core.call_limits.hold(uncounted) else { return Outcome::Busy };
            answer.held.push(held);
            uncounted = 0;
        }
        answer.pieces.push(if answer.pieces.is_empty() { "[".to_owned() } else { ",".to_owned() });
        answer.pieces.push(text);
    }
    if answer.pieces.is_empty() {
        return Outcome::Answer(None);
    }
    answer.pieces.push("]".to_owned());
    Outcome::Answer(Some(answer))
}

async fn answer_one(core: &Arc<Shared>, client: &Arc<Client>, call: Value) -> One {
    let call = match read_call(call) {
        Ok(call) => call,
        Err((error, id)) => return One::Text(Some(error_text(&error, &id))),
    };
    let context = Context::new(core, client);
    if client.draw(context.faults.reset_requests) {
        return One::Reset;
    }
    match (call_method(&context, &call.method, call.params).await, call.id) {
        (Err(Failure::Reset), _) => One::Reset,
        (_, None) => One::Text(None),
        (Ok(result), Some(id)) => One::Text(Some(result_text(&result, &id))),
        (Err(Failure::Error(error)), Some(id)) => One::Text(Some(error_text(&error, &id))),
    }
}

/// Reads a call; what is none is answered with an error under the id it has.
pub(crate) fn read_call(call: Value) -> Read {
    let Value::Object(mut call) = call else {
        return Err((RpcError::invalid_request("Invalid request"), Value::Null));
    };
    let id = call.remove("id");
    let answer_to = match &id {
        Some(id @ (Value::String(_) | Value::Number(_))) => id.clone(),
        None | Some(Value::Null) => Value::Null,
        Some(_) => return Err((RpcError::invalid_request("Invalid request"), Value::Null)),
    };
    let version = call.remove("jsonrpc");
    let Some(Value::String(method)) = call.remove("method") else {
        return Err((RpcError::invalid_request("Invalid request"), answer_to));
    };
    if !matches!(version.as_ref().map(Value::as_str), None | Some(Some("2.0"))) {
        return Err((RpcError::invalid_request("Unsupported JSON-RPC protocol version"), answer_to));
    }
    match Params::new(call.remove("params")) {
        Ok(params) => Ok(Call { method, params, id }),
        Err(error) => Err((error, answer_to)),
    }
}

pub(crate) fn result_text(result: &str, id: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","result":{result},"id":{id}}}"#)
}

pub(crate) fn error_text(error: &RpcError, id: &Value) -> String {
    serde_json::json!({ "jsonrpc": "2.0", "error": error, "id": id }).to_string()
}

async fn call_method(context: &Context, method: &str, params: Params) -> MethodResult {
    match method {
        "getAccountInfo" => accounts::account_info(context, params).await,
        "getBalance" => accounts::balance(context, params).await,
        "getMinimumBalanceForRentExemption" => accounts::rent_exemption(params),
        "getMultipleAccounts" => accounts::multiple_accounts(context, params).await,
        "getProgramAccounts" => accounts::program_accounts(context, params).await,

        "getFeeForMessage" => transactions::fee_for_message(context, params).await,
        "getLatestBlockhash" => transactions::latest_blockhash(context, params),
        "getSignatureStatuses" => context.in_turn(params, transactions::signature_statuses).await,
        "getSignaturesForAddress" => context.in_turn(params, transactions::signatures_for_address).await,
        "getTransaction" => context.in_turn(params, transactions::transaction).await,
        "isBlockhashValid" => transactions::is_blockhash_valid(context, params),
        "requestAirdrop" => transactions::request_airdrop(context, params).await,
        "sendTransaction" => transactions::send_transaction(context, params).await,
        "simulateTransaction" => transactions::simulate_transaction(context, params).await,

        "getBlock" => context.in_turn(params, blocks::block).await,
        "getBlockCommitment" => blocks::block_commitment(params),
        "getBlockHeight" | "getSlot" => blocks::slot(context, params),
        "getBlockTime" => blocks::block_time(context, params),
        "getBlocks" => context.in_turn(params, blocks::blocks).await,
        "getBlocksWithLimit" => context.in_turn(params, blocks::blocks_with_limit).await,
        "getFirstAvailableBlock" | "minimumLedgerSlot" => blocks::first_block(context),
        "getMaxRetransmitSlot" | "getMaxShredInsertSlot" => json(&context.slot),
        "getRecentPerformanceSamples" => context.in_turn(params, blocks::performance_samples).await,
        "getRecentPrioritizationFees" => context.in_turn(params, blocks::prioritization_fees).await,
        "getTransactionCount" => blocks::transaction_count(context, params),

        // Votes are counted here as they were before there were certificates.
        "getAgGenesisCert" => json(&()),
        "getBlockProduction" => cluster::block_production(context, params),
        "getClusterNodes" => cluster::nodes(context),
        "getEpochInfo" => cluster::epoch_info(context, params),
        "getEpochSchedule" => cluster::epoch_schedule(context),
        "getGenesisHash" => json(&read(&context.core.replica).history.genesis_hash().to_string()),
        "getHealth" => cluster::health(context),
        "getHighestSnapshotSlot" => Err(RpcError::no_snapshot().into()),
        "getIdentity" => cluster::identity(context),
        "getLeaderSchedule" => context.in_turn(params, cluster::leader_schedule).await,
        "getSlotLeader" => cluster::slot_leader(context, params),
        "getSlotLeaders" => context.in_turn(params, cluster::slot_leaders).await,
        "getVersion" => cluster::version(),
        "getVoteAccounts" => cluster::vote_accounts(),
        _ => Err(RpcError::method_not_found().into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(call: Value) -> (i64, Value) {
        let (error, id) = read_call(call).err().expect("a refusal");
        (error.code, id)
    }

    #[test]
    fn what_is_no_call_is_refused_under_its_id() {
        assert_eq!(refused(json!(5)), (-32600, Value::Null));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": 5})), (-32600, json!(5)));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": {}, "method": "a"})), (-32600, Value::Null));
        assert_eq!(refused(json!({"jsonrpc": "1.5", "id": "x", "method": "a"})), (-32600, json!("x")));
        assert_eq!(refused(json!({"jsonrpc": "2.0", "id": 1, "method": "a", "params": 1})), (-32602, json!(1)));
    }

    #[test]
    fn answers_are_json_rpc() {
        assert_eq!(result_text("[1]", &json!("x")), r#"{"jsonrpc":"2.0","result":[1],"id":"x"}"#);
        let error = error_text(&RpcError::method_not_found(), &json!(1));
        let expected = json!({"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": 1});
        assert_eq!(serde_json::from_str::<Value>(&error).unwrap(), expected);
    }
}

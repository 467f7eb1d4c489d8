//! Every subscription that `solana-pubsub-client` has, and what is promised of them: in order, exactly once, and no
//! subscriber waits for another.

use std::collections::BTreeMap;

use dzsim_ledger::{LedgerConfig, Limits};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_instruction::error::InstructionError;
use solana_pubsub_client::nonblocking::pubsub_client::{PubsubClient, PubsubClientError};
use solana_rpc_client_api::{
    config::{
        RpcAccountInfoConfig, RpcProgramAccountsConfig, RpcSignatureSubscribeConfig, RpcTransactionLogsConfig,
        RpcTransactionLogsFilter,
    },
    filter::{Memcmp, RpcFilterType},
    response::{ProcessedSignatureResult, ReceivedSignatureResult, RpcSignatureResult, SlotInfo, SlotUpdate},
};
use solana_transaction_error::TransactionError;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::support::{BOXES, Do, Stage, next, soon};

fn base64() -> RpcAccountInfoConfig {
    RpcAccountInfoConfig { encoding: Some(UiAccountEncoding::Base64), ..RpcAccountInfoConfig::default() }
}

fn program_config(filters: Option<Vec<RpcFilterType>>) -> Option<RpcProgramAccountsConfig> {
    Some(RpcProgramAccountsConfig { filters, account_config: base64(), ..RpcProgramAccountsConfig::default() })
}

fn make(id: u8, content: &[u8]) -> Do {
    Do::Make { id, content: content.to_vec() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_told_with_each_slot_that_changed_it() {
    let stage = Stage::new().await;
    let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
    let (mut changes, unsubscribe) = client.account_subscribe(&stage.the_box(1), Some(base64())).await.unwrap();
    stage.land(1, &[make(1, b"one")]).await;
    stage.land(2, &[make(2, b"another")]).await;
    stage.land(1, &[Do::Write(b"two".to_vec()), Do::Write(b"six".to_vec())]).await;
    stage.land(1, &[Do::Close]).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let change = next("a change", &mut changes).await;
        told.push((change.context.slot, change.value.data.decode().unwrap(), change.value.lamports));
    }
    assert_eq!(told, [(2, b"one".to_vec(), 1_030_000), (4, b"six".to_vec(), 1_030_000), (5, Vec::new(), 0)]);
    drop(changes);
    unsubscribe().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_tells_of_the_accounts_that_pass_the_filters_and_of_those_that_close() {
    let stage = Stage::new().await;
    let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
    let filters = vec![RpcFilterType::DataSize(2), RpcFilterType::Memcmp(Memcmp::new_base58_encoded(0, b"a"))];
    let (mut changes, _unsubscribe) = client.program_subscribe(&BOXES, program_config(Some(filters))).await.unwrap();
    stage.land(1, &[make(1, b"a1")]).await;
    stage.land(2, &[make(2, b"b1")]).await;
    stage.land(3, &[make(3, b"a12")]).await;
    stage.land(2, &[Do::Write(b"a2".to_vec())]).await;
    stage.land(3, &[Do::Close]).await;
    stage.land(2, &[Do::Close]).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let change = next("a change", &mut changes).await;
        told.push((change.context.slot, change.value.pubkey, change.value.account.data.decode().unwrap()));
    }
    let [one, two] = [1, 2].map(|id| stage.the_box(id).to_string());
    assert_eq!(told, [(2, one, b"a1".to_vec()), (5, two.clone(), b"a2".to_vec()), (7, two, Vec::new())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validators_program_subscription_does_not_tell_of_what_closed() {
    let stage = Stage::with(LedgerConfig { announce_closed: false, ..LedgerConfig::default() }).await;
    let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
    let (mut changes, _unsubscribe) = client.program_subscribe(&BOXES, program_config(None)).await.unwrap();
    stage.land(1, &[make(1, b"a")]).await;
    stage.land(1, &[Do::Close]).await;
    stage.land(2, &[make(2, b"b")]).await;
    let told = [next("a change", &mut changes).await, next("a change", &mut changes).await];
    assert_eq!(told.map(|change| change.context.slot), [2, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_is_told_once_before_and_after_it_landed() {
    let stage = Stage::new().await;
    let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
    let good = stage.transaction(1, &[make(1, b"a")]);
    let bad = stage.transaction(1, &[make(1, b"a"), Do::Fail(7)]);
    let config = RpcSignatureSubscribeConfig { enable_received_notification: Some(true), ..Default::default() };
    let (mut early, _a) = client.signature_subscribe(&good.signatures[0], Some(config)).await.unwrap();
    let (mut failing, _b) = client.signature_subscribe(&bad.signatures[0], None).await.unwrap();
    stage.ledger.send_without_preflight(bad.into()).await.unwrap();
    stage.ledger.send(good.clone().into()).await.unwrap();
    let (mut late, _c) = client.signature_subscribe(&good.signatures[0], None).await.unwrap();

    let received = RpcSignatureResult::ReceivedSignature(ReceivedSignatureResult::ReceivedSignature);
    let processed = |error: Option<TransactionError>| {
        RpcSignatureResult::ProcessedSignature(ProcessedSignatureResult { err: error.map(Into::into) })
    };
    let error = TransactionError::InstructionError(1, InstructionError::Custom(7));
    assert_eq!(next("the failure", &mut failing).await.value, processed(Some(error)));
    assert_eq!(next("that it came in", &mut early).await.value, received);
    let told = next("that it landed", &mut early).await;
    assert_eq!((told.context.slot, told.value), (3, processed(None)));
    assert_eq!(next("that it had landed", &mut late).await.value, processed(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_told_of_all_or_of_who_is_mentioned() {
    let stage = Stage::new().await;
    let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
    let config = || RpcTransactionLogsConfig { commitment: None };
    let (mut all, _a) = client.logs_subscribe(RpcTransactionLogsFilter::All, config()).await.unwrap();
    let mentions = RpcTransactionLogsFilter::Mentions(vec![stage.the_box(2).to_string()]);
    let (mut some, _b) = client.logs_subscribe(mentions, config()).await.unwrap();
    stage.land(1, &[make(1, b"a")]).await;
    let failing = stage.transaction(2, &[make(2, b"a"), Do::Fail(7)]);
    stage.ledger.send_without_preflight(failing.clone().into()).await.unwrap();

    assert_eq!(next("a log", &mut all).await.context.slot, 2);
    let told = next("a log", &mut some).await;
    assert_eq!((told.context.slot, &told.value.signature), (3, &failing.signatures[0].to_string()));
    let expected = [
        format!("Program {BOXES} invoke [1]"),
        "Program 11111111111111111111111111111111 invoke [2]".into(),
        "Program 11111111111111111111111111111111 success".into(),
        format!("Program {BOXES} success"),
        format!("Program {BOXES} invoke [1]"),
        "Program log: failing as asked".into(),
        format!("Program {BOXES} failed: custom program error: 0x7"),
    ];
    assert_eq!(told.value.logs, expected);
    assert_eq!(next("a log", &mut all).await.value, told.value);

    let two = RpcTransactionLogsFilter::Mentions(vec![BOXES.to_string(), BOXES.to_string()]);
    let refused = client.logs_subscribe(two, config()).await.err().unwrap();
    let PubsubClientError::SubscribeFailed { reason, .. } = refused else { panic!("{refused}") };
    assert_eq!(reason, "Invalid Request: Only 1 address supported (-32602)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_are_told() {
    let stage = Stage::new().await;
    let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
    let (mut slots, _a) = client.slot_subscribe().await.unwrap();
    let (mut roots, _b) = client.root_subscribe().await.unwrap();
    let (mut updates, _c) = client.slot_updates_subscribe().await.unwrap();
    stage.land(1, &[make(1, b"a")]).await;
    assert_eq!(next("a slot", &mut slots).await, SlotInfo { slot: 2, parent: 1, root: 1 });
    assert_eq!(next("a root", &mut roots).await, 2);
    let update = next("an update", &mut updates).await;
    assert!(matches!(update, SlotUpdate::CreatedBank { slot: 2, parent: 1, .. }), "{update:?}");
    stage.land(2, &[make(2, b"b")]).await;
    assert!(stage.ledger.lose_slots(2).await.unwrap());
    assert_eq!(next("a slot", &mut slots).await, SlotInfo { slot: 3, parent: 2, root: 2 });
    assert_eq!(next("a slot", &mut slots).await, SlotInfo { slot: 4, parent: 1, root: 1 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_unsubscribed_is_told_nothing() {
    let stage = Stage::new().await;
    let (mut socket, _) = connect_async(&stage.ws).await.unwrap();
    let mut ask = async |request: Value| {
        socket.send(Message::text(request.to_string())).await.unwrap();
        serde_json::from_str::<Value>(next("an answer", &mut socket).await.unwrap().to_text().unwrap()).unwrap()
    };
    let call =
        |id: u64, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    assert_eq!(ask(call(1, "slotSubscribe", json!([]))).await, json!({"jsonrpc": "2.0", "result": 1, "id": 1}));
    assert_eq!(ask(call(2, "rootSubscribe", json!([]))).await["result"], 2);
    assert_eq!(ask(call(3, "slotUnsubscribe", json!([1]))).await["result"], true);
    let invalid = json!({"code": -32602, "message": "Invalid subscription id."});
    assert_eq!(ask(call(4, "slotUnsubscribe", json!([1]))).await["error"], invalid);
    assert_eq!(ask(call(5, "slotUnsubscribe", json!([2]))).await["error"], invalid);
    let unknown = json!({"code": -32601, "message": "Method not found"});
    assert_eq!(ask(call(6, "voteSubscribe", json!([]))).await["error"], unknown);
    assert_eq!(ask(call(7, "getSlot", json!([]))).await["error"], unknown);
    for (method, param, what) in [
        ("accountSubscribe", json!("x"), "pubkey"),
        ("programSubscribe", json!("x"), "pubkey"),
        ("signatureSubscribe", json!("x"), "signature"),
        ("logsSubscribe", json!({"mentions": ["x"]}), "mentions"),
    ] {
        let refused = json!({"code": -32602, "message": format!("Invalid Request: Invalid {what} provided")});
        assert_eq!(ask(call(8, method, json!([param]))).await["error"], refused);
    }
    stage.land(1, &[make(1, b"a")]).await;
    let told: Value = serde_json::from_str(next("a root", &mut socket).await.unwrap().to_text().unwrap()).unwrap();
    let expected = json!({"jsonrpc": "2.0", "method": "rootNotification", "params": {"result": 2, "subscription": 2}});
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_is_answered() {
    let stage = Stage::new().await;
    let (mut socket, _) = connect_async(&stage.ws).await.unwrap();
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(next("a pong", &mut socket).await.unwrap(), Message::Pong("are you there".into()));
}

/// What was seen of each box, by slot.
type Seen = BTreeMap<u64, Vec<u8>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subscriber_is_told_each_change_once_and_in_order() {
    const CHANGES: u64 = 300;
    let stage = Stage::new().await;
    stage.land(1, &[make(1, &0_u64.to_le_bytes())]).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        tasks.push(tokio::spawn(async move {
            let (mut changes, _unsubscribe) = client.program_subscribe(&BOXES, program_config(None)).await.unwrap();
            ready.send(()).unwrap();
            let mut seen = Vec::new();
            for _ in 0..CHANGES {
                let change = next("a change", &mut changes).await;
                seen.push((change.context.slot, change.value.account.data.decode().unwrap()));
            }
            seen
        }));
        is_ready.await.unwrap();
    }
    let mut expected = Seen::new();
    for change in 0..CHANGES {
        let content = (change + 1).to_le_bytes().to_vec();
        let landed = stage.land(1, &[Do::Write(content.clone())]).await;
        expected.insert(landed.slot, content);
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), expected.clone().into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_does_not_read_is_disconnected_and_stalls_nobody() {
    let limits = Limits { notification_backlog: 512, ..Limits::default() };
    let stage = Stage::with(LedgerConfig { limits, ..LedgerConfig::default() }).await;
    let content = |change: u64| [change.to_le_bytes().as_slice(), &[0; 800]].concat();
    stage.land(1, &[make(1, &content(0))]).await;

    let (mut slow, _) = connect_async(&stage.ws).await.unwrap();
    let subscribe = json!({"jsonrpc": "2.0", "id": 1, "method": "programSubscribe",
        "params": [BOXES.to_string(), {"encoding": "base64"}]});
    for _ in 0..100 {
        slow.send(Message::text(subscribe.to_string())).await.unwrap();
        next("an answer", &mut slow).await.unwrap();
    }
    let client = PubsubClient::new(stage.ws.clone()).await.unwrap();
    let (mut changes, _unsubscribe) = client.account_subscribe(&stage.the_box(1), Some(base64())).await.unwrap();

    // 100 notifications of 1.3 KB for each change: more than the sockets and the queue hold.
    for change in 1..=150 {
        stage.land(1, &[Do::Write(content(change))]).await;
        let told = next("a change", &mut changes).await;
        assert_eq!(told.value.data.decode().unwrap(), content(change));
    }
    let mut read = 0;
    let end = soon("the end of the slow one", async {
        loop {
            match slow.next().await {
                Some(Ok(_)) => read += 1,
                end => break end,
            }
        }
    })
    .await;
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
    assert!(read < 150 * 100, "it has read all {read} notifications");
}

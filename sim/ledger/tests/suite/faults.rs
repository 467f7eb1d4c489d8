//! Faults: set for one client, while it runs, and only for it.

use dzsim_ledger::{Chance, ClientName, Faults};
use futures_util::StreamExt;
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{
    client_error::{Error, ErrorKind},
    config::RpcSendTransactionConfig,
    request::RpcError,
};
use std::time::Duration;

use crate::support::{BOXES, Do, Stage, call, next, serve, soon};

const AN_HOUR: Duration = Duration::from_secs(3600);

fn make(id: u8) -> Do {
    Do::Make { id, content: vec![id] }
}

fn code(error: &Error) -> Option<i64> {
    match error.kind() {
        ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) => Some(*code),
        _ => None,
    }
}

/// Whether the connection broke, rather than an answer come.
fn broke(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Reqwest(_))
}

/// A subscriber of the client `node` to slots.
macro_rules! slots {
    ($stage:expr, $client:ident, $slots:ident) => {
        let $client = PubsubClient::new($stage.ws.clone()).await.unwrap();
        let (mut $slots, _unsubscribe) = $client.slot_subscribe().await.unwrap();
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_notifications_are_dropped() {
    const COUNTED: u64 = 200;
    let stage = Stage::new().await;
    slots!(stage, client, slots);
    stage.faults().update(|faults| faults.notifications.drop = Chance::try_from(0.5).unwrap());
    stage.land(1, &[make(1)]).await;
    // Some more than are counted: one of those that is told shows that all before it were decided on.
    for change in 1..COUNTED + 64 {
        stage.land(1, &[Do::Write(vec![change as u8])]).await;
    }
    let mut told = Vec::new();
    while told.last().is_none_or(|slot| *slot < 2 + COUNTED) {
        told.push(next("a slot", &mut slots).await.slot);
    }
    told.pop();
    assert!(told.is_sorted_by(|one, two| one < two), "{told:?}");
    assert!((50..150).contains(&told.len()), "{told:?}");

    stage.faults().heal();
    stage.land(2, &[make(2)]).await;
    let last = stage.ledger.latest_slot();
    while next("a slot", &mut slots).await.slot != last {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_come_twice() {
    let stage = Stage::new().await;
    slots!(stage, client, slots);
    stage.faults().update(|faults| faults.notifications.duplicate = Chance::ALWAYS);
    stage.land(1, &[make(1)]).await;
    stage.land(2, &[make(2)]).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(next("a slot", &mut slots).await.slot);
    }
    assert_eq!(told, [2, 2, 3, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_that_are_held_back_are_passed() {
    let stage = Stage::new().await;
    slots!(stage, client, slots);
    stage.faults().update(|faults| {
        faults.notifications.reorder = Chance::try_from(0.5).unwrap_or_default();
        faults.notifications.reorder_by = Duration::from_millis(50);
    });
    stage.land(1, &[make(1)]).await;
    for change in 1..100 {
        stage.land(1, &[Do::Write(vec![change])]).await;
    }
    let mut told = Vec::new();
    for _ in 0..100 {
        told.push(next("a slot", &mut slots).await.slot);
    }
    assert!(!told.is_sorted(), "{told:?}");
    told.sort_unstable();
    assert_eq!(told, (2..102).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_lag_as_a_whole() {
    let stage = Stage::new().await;
    stage.land(1, &[make(1)]).await;
    let written = stage.land(1, &[Do::Write(vec![9])]).await;
    stage.land(2, &[make(2)]).await;
    let rpc = stage.rpc();
    stage.faults().update(|faults| faults.read_lag = 2);

    assert_eq!(rpc.get_slot().await.unwrap(), 2);
    assert_eq!(rpc.get_account_data(&stage.the_box(1)).await.unwrap(), [1]);
    let absent = rpc.get_account_with_commitment(&stage.the_box(2), CommitmentConfig::confirmed()).await.unwrap();
    assert_eq!((absent.context.slot, absent.value), (2, None));
    assert_eq!(rpc.get_signature_statuses(&[written.transaction.signature]).await.unwrap().value, [None]);
    assert!(rpc.get_block_time(3).await.is_err());
    let health = rpc.get_health().await.unwrap_err();
    assert_eq!(code(&health), Some(-32005));
    let answer = call(&stage.http, "getSlot", json!([{"minContextSlot": 3}])).await;
    let error =
        json!({"code": -32016, "message": "Minimum context slot has not been reached", "data": {"contextSlot": 2}});
    assert_eq!(answer["error"], error);

    stage.faults().heal();
    assert_eq!(rpc.get_account_data(&stage.the_box(1)).await.unwrap(), [9]);
    assert_eq!(rpc.get_health().await.ok(), Some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lag_reaches_back_to_the_first_slot_and_no_further() {
    let stage = Stage::new().await;
    stage.land(1, &[make(1)]).await;
    stage.faults().update(|faults| faults.read_lag = u64::MAX);
    assert_eq!(stage.rpc().get_slot().await.unwrap(), 1);
    assert_eq!(stage.rpc().get_program_accounts(&BOXES).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_send_changes_nothing() {
    let stage = Stage::new().await;
    stage.faults().update(|faults| faults.refuse_sends = Chance::ALWAYS);
    let refused = stage.rpc().send_transaction(&stage.transaction(1, &[make(1)])).await.unwrap_err();
    assert_eq!(code(&refused), Some(-32005));
    assert_eq!(stage.ledger.latest_slot(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_send_is_answered_and_never_lands() {
    let stage = Stage::new().await;
    let transaction = stage.transaction(1, &[make(1)]);
    stage.faults().update(|faults| faults.lose_sends = Chance::ALWAYS);
    assert_eq!(stage.rpc().send_transaction(&transaction).await.unwrap(), transaction.signatures[0]);
    assert_eq!(stage.ledger.latest_slot(), 1);
    stage.faults().heal();
    stage.rpc().send_and_confirm_transaction(&transaction).await.unwrap();
    assert_eq!(stage.ledger.latest_slot(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_leaves_a_transaction_that_landed() {
    let stage = Stage::new().await;
    let transaction = stage.transaction(1, &[make(1)]);
    stage.faults().update(|faults| faults.lose_answers = Chance::ALWAYS);
    let config = RpcSendTransactionConfig { max_retries: Some(0), ..RpcSendTransactionConfig::default() };
    let lost = stage.rpc().send_transaction_with_config(&transaction, config).await.unwrap_err();
    assert!(broke(&lost), "{lost}");
    assert_eq!(stage.ledger.latest_slot(), 2);
    stage.faults().heal();
    let status = stage.rpc().get_signature_status(&transaction.signatures[0]).await.unwrap();
    assert_eq!(status, Some(Ok(())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_one_clients_and_ends() {
    let stage = Stage::new().await;
    let (other_http, _) = serve(&stage.ledger, "other");
    let other = RpcClient::new(other_http);
    slots!(stage, client, slots);
    stage.faults().update(|faults| faults.outage = true);
    assert!(soon("the end of the subscription", slots.next()).await.is_none());
    let failed = stage.rpc().get_slot().await.unwrap_err();
    assert!(broke(&failed), "{failed}");
    assert!(PubsubClient::new(stage.ws.clone()).await.is_err());
    assert_eq!(other.get_slot().await.unwrap(), 1);
    assert_eq!(stage.ledger.faults(&ClientName::new("other")).get(), Faults::default());
    stage.faults().heal();
    assert_eq!(stage.rpc().get_slot().await.unwrap(), 1);
    PubsubClient::new(stage.ws.clone()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_connections_are_reset_once() {
    let stage = Stage::new().await;
    slots!(stage, client, slots);
    stage.faults().reset_connections();
    assert!(soon("the end of the subscription", slots.next()).await.is_none());
    PubsubClient::new(stage.ws.clone()).await.unwrap();
    assert_eq!(stage.rpc().get_slot().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_may_find_its_connection_reset() {
    let stage = Stage::new().await;
    stage.faults().update(|faults| faults.reset_requests = Chance::ALWAYS);
    let failed = stage.rpc().send_transaction(&stage.transaction(1, &[make(1)])).await.unwrap_err();
    assert!(broke(&failed), "{failed}");
    assert_eq!(stage.ledger.latest_slot(), 1);
    stage.faults().heal();
    assert_eq!(stage.rpc().get_slot().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_delayed() {
    let stage = Stage::new().await;
    stage.faults().update(|faults| faults.answer_delay = AN_HOUR);
    let rpc = stage.rpc();
    let transaction = stage.transaction(1, &[make(1)]);
    let mut slots = stage.ledger.slots();
    tokio::select! {
        answer = rpc.send_transaction(&transaction) => panic!("answered: {answer:?}"),
        landed = soon("the transaction", slots.wait_for(|slot| *slot == 2)) => assert!(landed.is_ok()),
    }
}

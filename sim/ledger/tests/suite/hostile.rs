//! Invalid and excessive requests: each gets an error, memory stays bounded, other clients are served.

use std::sync::Arc;

use dzsim_ledger::{Ledger, LedgerConfig, Limits};
use futures_util::{SinkExt, StreamExt};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use solana_account::Account;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use tokio::{io::AsyncReadExt, net::TcpStream, sync::Semaphore};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::support::{BOXES, Stage, call, next, post, raw_http, serve, soon};

async fn error_of(stage: &Stage, body: &str) -> (i64, Value) {
    let answer: Value = serde_json::from_str(&post(&stage.http, body).await).unwrap();
    (answer["error"]["code"].as_i64().unwrap(), answer["id"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_call_is_answered_with_an_error() {
    let stage = Stage::new().await;
    assert_eq!(error_of(&stage, "").await, (-32700, Value::Null));
    assert_eq!(error_of(&stage, "{\"jsonrpc\":").await, (-32700, Value::Null));
    assert_eq!(error_of(&stage, "\u{0}\u{1}").await, (-32700, Value::Null));
    assert_eq!(error_of(&stage, &"[".repeat(20_000)).await, (-32700, Value::Null));
    let deep = format!("{{\"id\":1,\"method\":\"getSlot\",\"params\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    assert_eq!(error_of(&stage, &deep).await, (-32700, Value::Null));
    assert_eq!(error_of(&stage, "[]").await, (-32600, Value::Null));
    assert_eq!(error_of(&stage, "null").await, (-32600, Value::Null));
    assert_eq!(error_of(&stage, r#"{"id":[1],"method":"getSlot"}"#).await, (-32600, Value::Null));
    assert_eq!(error_of(&stage, r#"{"id":"x","method":"getNothing"}"#).await, (-32601, json!("x")));
    assert_eq!(error_of(&stage, r#"{"id":1,"method":"getSlot","params":[1,2]}"#).await, (-32602, json!(1)));
    let batch = format!("[{}]", vec![r#"{"id":1,"method":"getSlot"}"#; 101].join(","));
    assert_eq!(error_of(&stage, &batch).await, (-32600, Value::Null));
    assert_eq!(stage.rpc().get_slot().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_answered_in_order_and_notifications_are_not() {
    let stage = Stage::new().await;
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"getSlot"}, 5, {"jsonrpc":"2.0","method":"getSlot"},
        {"jsonrpc":"2.0","id":"two","method":"getHealth"}]"#;
    let answers: Value = serde_json::from_str(&post(&stage.http, batch).await).unwrap();
    let expected = json!([
        {"jsonrpc": "2.0", "result": 1, "id": 1},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid request"}, "id": null},
        {"jsonrpc": "2.0", "result": "ok", "id": "two"},
    ]);
    assert_eq!(answers, expected);
    assert_eq!(post(&stage.http, r#"{"jsonrpc":"2.0","method":"getSlot"}"#).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_asks_for_too_much_gets_what_it_may() {
    let big = Account { lamports: 1 << 40, data: vec![7; 4 << 20], owner: BOXES, ..Account::default() };
    let accounts = vec![(solana_pubkey::Pubkey::new_from_array([1; 32]), big)];
    // Bytes are bounded here; a slow machine needs more than the default for them.
    let limits = Limits { batch: std::time::Duration::from_secs(600), ..Limits::default() };
    let stage = Stage::with(LedgerConfig { accounts, limits, ..LedgerConfig::default() }).await;
    let config = json!({"encoding": "base64"});
    let calls: Vec<_> = (0..10)
        .map(|id| json!({"id": id, "method": "getProgramAccounts", "params": [BOXES.to_string(), config]}))
        .collect();
    let answers: Vec<Value> = serde_json::from_str(&post(&stage.http, &Value::Array(calls).to_string()).await).unwrap();
    // 5.6 MB each, up to the one that passes 32 MiB.
    let refused: Vec<_> =
        answers.iter().filter(|answer| answer["error"]["code"] == -32600).map(|one| &one["id"]).collect();
    assert_eq!(refused, [6, 7, 8, 9]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_nowhere_is_an_error() {
    let config = LedgerConfig::default().program(BOXES, "nowhere", None);
    let error = Ledger::start(config).await.err().unwrap().to_string();
    assert_eq!(error, "cannot set up the bank: program nowhere: there is no native one, and nowhere.so is not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_that_is_no_call_is_refused() {
    let stage = Stage::new().await;
    let status = async |request: &str| {
        let answer = raw_http(&stage.http, request).await;
        answer.split(' ').nth(1).map(str::to_owned)
    };
    let head = "host: localhost\r\nconnection: close\r\n";
    assert_eq!(status(&format!("GET / HTTP/1.1\r\n{head}\r\n")).await.as_deref(), Some("405"));
    assert_eq!(status(&format!("GET /health HTTP/1.1\r\n{head}\r\n")).await.as_deref(), Some("200"));
    assert_eq!(status(&format!("OPTIONS / HTTP/1.1\r\n{head}\r\n")).await.as_deref(), Some("200"));
    assert_eq!(
        status(&format!("POST / HTTP/1.1\r\n{head}content-length: 2\r\n\r\n{{}}")).await.as_deref(),
        Some("415")
    );
    let post = format!("POST / HTTP/1.1\r\n{head}content-type: application/json\r\n");
    let huge = format!("{post}content-length: 100000\r\n\r\n{}", "x".repeat(100_000));
    assert_eq!(status(&huge).await.as_deref(), Some("413"));
    let endless =
        format!("{post}transfer-encoding: chunked\r\n\r\n{}", format!("1000\r\n{}\r\n", "x".repeat(4096)).repeat(14));
    assert_eq!(status(&endless).await.as_deref(), Some("413"));
    assert_eq!(
        status(&format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1_000_000))).await.as_deref(),
        Some("431")
    );
    assert_eq!(status("\u{16}\u{3}\u{1} this is no http\r\n\r\n").await.as_deref(), Some("400"));
    assert_eq!(stage.rpc().get_slot().await.unwrap(), 1);
}

/// Some value that a parameter may or may not be.
fn anything(dice: &mut SmallRng, depth: u32) -> Value {
    match dice.random_range(0..if depth == 0 { 9 } else { 11 }) {
        0 => Value::Null,
        1 => json!(dice.random::<bool>()),
        2 => json!(dice.random::<u64>()),
        3 => json!(dice.random::<i64>()),
        4 => json!(dice.random_range(0..5)),
        5 => json!(["", "x", "base64", "all", "\u{0}", "\u{1f4a9}"][dice.random_range(0..6)]),
        6 => json!(BOXES.to_string()),
        7 => json!(solana_signature::Signature::from([7; 64]).to_string()),
        8 => json!(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, dice.random::<[u8; 32]>())),
        9 => (0..dice.random_range(0..4)).map(|_| anything(dice, depth - 1)).collect(),
        _ => {
            let keys =
                ["encoding", "commitment", "filters", "minContextSlot", "dataSlice", "limit", "memcmp", "mentions"];
            let pairs = (0..dice.random_range(0..4))
                .map(|_| (keys[dice.random_range(0..keys.len())].to_owned(), anything(dice, depth - 1)));
            Value::Object(pairs.collect())
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_parameters_there_is_an_answer() {
    let stage = Stage::new().await;
    let methods = "getAccountInfo getBalance getMinimumBalanceForRentExemption getMultipleAccounts getProgramAccounts \
        getFeeForMessage getLatestBlockhash getSignatureStatuses getSignaturesForAddress getTransaction \
        isBlockhashValid requestAirdrop sendTransaction simulateTransaction getBlock getBlockCommitment getSlot \
        getBlockTime getBlocks getBlocksWithLimit getRecentPerformanceSamples getRecentPrioritizationFees \
        getTransactionCount getEpochInfo getEpochSchedule getHealth getLeaderSchedule getSlotLeader getSlotLeaders \
        getVersion";
    let subscriptions = "accountSubscribe programSubscribe signatureSubscribe logsSubscribe slotSubscribe \
        rootSubscribe slotsUpdatesSubscribe accountUnsubscribe slotUnsubscribe";
    let mut dice = SmallRng::seed_from_u64(5);
    let mut calls = |methods: &str, count: usize| -> Vec<Value> {
        let methods: Vec<_> = methods.split_whitespace().collect();
        let call = |id| {
            let params: Vec<_> = (0..dice.random_range(0..4)).map(|_| anything(&mut dice, 3)).collect();
            json!({"jsonrpc": "2.0", "id": id, "method": methods[dice.random_range(0..methods.len())], "params": params})
        };
        (0..count).map(call).collect()
    };
    for _ in 0..60 {
        let batch = Value::Array(calls(methods, 50));
        let answers: Vec<Value> = serde_json::from_str(&post(&stage.http, &batch.to_string()).await).unwrap();
        for (id, answer) in answers.iter().enumerate() {
            assert_eq!(answer["id"], id, "{answer}");
            let code = answer["error"]["code"].as_i64();
            assert!(
                answer.get("result").is_some() != code.is_some() && code != Some(-32603),
                "{}: {answer}",
                batch[id]
            );
        }
        assert_eq!(answers.len(), 50);
    }
    let (mut socket, _) = connect_async(&stage.ws).await.unwrap();
    for call in calls(subscriptions, 500) {
        socket.send(Message::text(call.to_string())).await.unwrap();
        let answer = loop {
            let text = next("an answer", &mut socket).await.unwrap();
            let answer: Value = serde_json::from_str(text.to_text().unwrap()).unwrap();
            if answer.get("id").is_some() {
                break answer;
            }
        };
        assert_eq!(answer["id"], call["id"], "{call}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_are_none_are_refused() {
    let stage = Stage::new().await;
    let send = async |text: &str, encoding: &str| {
        let answer = call(&stage.http, "sendTransaction", json!([text, {"encoding": encoding}])).await;
        let error = &answer["error"];
        assert_eq!(error["code"], -32602, "{error}");
        error["message"].as_str().unwrap().to_owned()
    };
    assert!(send("!", "base64").await.starts_with("invalid base64 encoding: "));
    assert!(send("0", "base58").await.starts_with("invalid base58 encoding: "));
    assert!(send(&"A".repeat(1645), "base64").await.contains("too large: 1645 bytes (max: encoded/raw 1644/1232)"));
    assert!(send("AAAA", "base64").await.starts_with("failed to deserialize solana_transaction::"));
    // A length that promises more than there is, and more than fits.
    assert!(send("//8PAAAA", "base64").await.starts_with("failed to deserialize solana_transaction::"));
    assert!(send("AA", "json").await.starts_with("unsupported encoding: json."));
    let mut forged = stage.transaction(1, &[crate::support::Do::Close]);
    forged.signatures[0] = solana_signature::Signature::from([7; 64]);
    let bytes = bincode::serialize(&forged).unwrap();
    let answer = call(&stage.http, "sendTransaction", json!([bs58::encode(bytes).into_string()])).await;
    let error = &answer["error"];
    assert_eq!((&error["code"], &error["data"]["err"]), (&json!(-32002), &json!("SignatureFailure")));
    assert_eq!(error["message"], "Transaction simulation failed: Transaction did not pass signature verification");
    assert_eq!(stage.ledger.latest_slot(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websocket_messages_that_are_no_calls_are_refused() {
    let stage = Stage::new().await;
    let (mut socket, _) = connect_async(&stage.ws).await.unwrap();
    let mut ask = async |request: String| {
        socket.send(Message::text(request)).await.unwrap();
        let answer = next("an answer", &mut socket).await.unwrap();
        serde_json::from_str::<Value>(answer.to_text().unwrap()).unwrap()["error"]["code"].clone()
    };
    assert_eq!(ask("{".into()).await, -32700);
    assert_eq!(ask("[".repeat(10_000)).await, -32700);
    assert_eq!(ask("5".into()).await, -32600);
    assert_eq!(ask(r#"{"id":1,"method":"accountSubscribe","params":["x"]}"#.into()).await, -32602);
    socket.send(Message::text("x".repeat(60_000))).await.unwrap();
    let end = soon("the end", socket.next()).await;
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_bounded() {
    let limits = Limits { subscriptions_per_connection: 3, ..Limits::default() };
    let stage = Stage::with(LedgerConfig { limits, ..LedgerConfig::default() }).await;
    let (mut socket, _) = connect_async(&stage.ws).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..4 {
        socket.send(Message::text(r#"{"jsonrpc":"2.0","id":1,"method":"slotSubscribe"}"#)).await.unwrap();
        let answer = next("an answer", &mut socket).await.unwrap();
        answers.push(serde_json::from_str::<Value>(answer.to_text().unwrap()).unwrap());
    }
    assert_eq!(answers[2]["result"], 3);
    assert_eq!(answers[3]["error"]["message"], "a connection holds at most 3 subscriptions");
}

/// Memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_are_bounded_and_others_are_served() {
    const PLACES: usize = 16;
    const MORE: usize = 10_000;
    let limits = Limits { connections_per_listener: PLACES, ..Limits::default() };
    let ledger = Ledger::start(LedgerConfig { limits, ..LedgerConfig::default() }).await.unwrap();
    let (crowded, _) = serve(&ledger, "crowded");
    let (other, _) = serve(&ledger, "other");
    let address = crowded.strip_prefix("http://").unwrap();

    let mut idle = Vec::new();
    for _ in 0..PLACES {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let before = resident_kib();
    // Some of them are let say what they want, and say nothing; the others are turned away at once.
    let mut knocking = tokio::task::JoinSet::new();
    let at_a_time = Arc::new(Semaphore::new(200));
    for _ in 0..MORE {
        let (address, at_a_time) = (address.to_owned(), Arc::clone(&at_a_time));
        knocking.spawn(async move {
            let _turn = at_a_time.acquire_owned().await.unwrap();
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let mut answer = String::new();
            soon("a refusal", stream.read_to_string(&mut answer)).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n"), "{answer}");
        });
    }
    // Another client is served all the while.
    let other = RpcClient::new(other);
    let knocked = async {
        while let Some(done) = knocking.join_next().await {
            done.unwrap();
        }
    };
    let served = async {
        loop {
            assert_eq!(soon("a slot", other.get_slot()).await.unwrap(), 1);
        }
    };
    tokio::select! {
        () = soon("the end of the knocking", knocked) => {}
        () = served => {}
    }
    // Other tests of this process take some, too; 10,000 connections that were kept would take hundreds.
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 200 * 1024, "{grown} KiB more");

    // The Solana client takes 429 for "come again", and does; meanwhile a place gets free.
    let rpc = RpcClient::new(crowded.clone());
    let asked = tokio::spawn(async move { rpc.get_slot().await });
    drop(idle);
    assert_eq!(soon("an answer", asked).await.unwrap().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_closed() {
    let limits = Limits { idle: std::time::Duration::from_millis(50), ..Limits::default() };
    let stage = Stage::with(LedgerConfig { limits, ..LedgerConfig::default() }).await;
    let mut silent = TcpStream::connect(stage.http.strip_prefix("http://").unwrap()).await.unwrap();
    let mut answer = Vec::new();
    soon("the end", silent.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let trickle = raw_http(&stage.http, &format!("{head}content-length: 10\r\n\r\n{{")).await;
    assert!(trickle.starts_with("HTTP/1.1 408 "), "{trickle}");
}

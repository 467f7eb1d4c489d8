//! One client's appetite is not another's wait: heavy batches, answers that nobody reads, and web pages.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dzsim_ledger::{LedgerConfig, Limits, Origins};
use serde_json::{Value, json};
use solana_account::Account;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::support::{BOXES, Stage, post, raw_http, serve, soon};

/// Heavy batches at a time.
const BATCHES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_batches_take_turns_with_others() {
    let stage = Stage::new().await;
    let (other, _) = serve(&stage.ledger, "other");
    let calls: Vec<_> = (0..20).map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "getLeaderSchedule"})).collect();
    let batch = Value::Array(calls).to_string();
    let done = Arc::new(AtomicUsize::new(0));
    let mut batches = tokio::task::JoinSet::new();
    for _ in 0..BATCHES {
        let (http, batch, done) = (stage.http.clone(), batch.clone(), Arc::clone(&done));
        batches.spawn(async move {
            let answer = post(&http, &batch).await;
            done.fetch_add(1, Ordering::SeqCst);
            let answers: Vec<Value> = serde_json::from_str(&answer).unwrap();
            assert_eq!(answers.len(), 20);
        });
    }
    // The first of them have begun when this one is answered, which needs one turn; none of them has had all of its own.
    for asked in 0..3 {
        let answer = soon("a slot", post(&other, r#"{"jsonrpc":"2.0","id":1,"method":"getSlot"}"#)).await;
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["result"], 1);
        let done = done.load(Ordering::SeqCst);
        assert!(done < BATCHES / 2, "{done} batches came before question {asked}");
    }
    while let Some(batch) = soon("the end of the batches", batches.join_next()).await {
        batch.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_ends_with_its_time() {
    let limits = Limits { batch: Duration::ZERO, ..Limits::default() };
    let stage = Stage::with(LedgerConfig { limits, ..LedgerConfig::default() }).await;
    let answer = post(&stage.http, r#"[{"jsonrpc":"2.0","id":"x","method":"getSlot"}]"#).await;
    let answers: Value = serde_json::from_str(&answer).unwrap();
    let error = json!({"code": -32600, "message": "the batch takes longer than 0ns"});
    assert_eq!(answers, json!([{"jsonrpc": "2.0", "id": "x", "error": error}]));
}

/// A ledger with one account of 4 MiB, and a request for it twice, whose answer has 11 MB: more than sockets hold.
async fn with_big_account(limits: Limits) -> (Stage, String) {
    let big = Account { lamports: 1 << 40, data: vec![7; 4 << 20], owner: BOXES, ..Account::default() };
    let address = solana_pubkey::Pubkey::new_from_array([1; 32]);
    let stage = Stage::with(LedgerConfig { accounts: vec![(address, big)], limits, ..LedgerConfig::default() }).await;
    let params = json!([vec![address.to_string(); 2], {"encoding": "base64"}]);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "getMultipleAccounts", "params": params}).to_string();
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n";
    (stage, format!("{head}content-length: {}\r\n\r\n{body}", body.len()))
}

/// A client whose answer has begun, and that does not read on.
async fn deaf(stage: &Stage, request: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // Otherwise the kernel would take much of the answer for it.
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let address = stage.http.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    soon("the first of an answer", stream.read_exact(&mut [0; 16])).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_take_no_more_room_than_there_is() {
    let limits = Limits { answer_bytes: 16 << 20, write: Duration::from_secs(600), ..Limits::default() };
    let (stage, request) = with_big_account(limits).await;
    let _deaf = deaf(&stage, &request).await;
    let refused = raw_http(&stage.http, &request).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused:.100}");
    // What is short needs none of it.
    assert_eq!(stage.rpc().get_slot().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_dropped_and_its_room_is_another_ones() {
    let limits = Limits { answer_bytes: 16 << 20, write: Duration::from_millis(200), ..Limits::default() };
    let (stage, request) = with_big_account(limits).await;
    let mut deaf = deaf(&stage, &request).await;
    let answered = async {
        loop {
            let answer = raw_http(&stage.http, &request).await;
            if answer.starts_with("HTTP/1.1 200 ") {
                return answer;
            }
        }
    };
    let answer = soon("an answer to another", answered).await;
    assert!(answer.len() > 10 << 20, "{} bytes", answer.len());
    let mut rest = Vec::new();
    let _ = soon("the end", deaf.read_to_end(&mut rest)).await;
    assert!(rest.len() < 10 << 20, "{} bytes came to who did not read", rest.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_own_host_is_answered_and_no_web_page_unless_asked() {
    let get = async |stage: &Stage, headers: &str| {
        let request = format!("GET /health HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        raw_http(&stage.http, &request).await
    };
    let stage = Stage::new().await;
    let rebound = get(&stage, "host: evil.example\r\n").await;
    assert!(rebound.starts_with("HTTP/1.1 403 ") && rebound.contains("this is not evil.example"), "{rebound}");
    let page = "host: localhost\r\norigin: https://app.example\r\n";
    let refused = get(&stage, page).await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.contains("--cors"), "{refused}");
    let upgrade = "host: localhost\r\norigin: https://app.example\r\nupgrade: websocket\r\n";
    assert!(get(&stage, upgrade).await.starts_with("HTTP/1.1 403 "));

    let origins = Origins::These(vec!["https://app.example".to_owned()]);
    let stage = Stage::with(LedgerConfig { origins, ..LedgerConfig::default() }).await;
    let allowed = get(&stage, page).await;
    assert!(allowed.starts_with("HTTP/1.1 200 "), "{allowed}");
    assert!(allowed.contains("access-control-allow-origin: https://app.example\r\n"), "{allowed}");
}

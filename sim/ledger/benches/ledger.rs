//! Benchmark of the ledger: transactions through RPC, and reading a program with many accounts.
//!
//! `cargo bench -p dzsim-ledger`; with `-- 500` it uses 500 transactions instead of 5,000.
//!
//! On two cores it said 4,000 transactions per second by RPC with a preflight, 5,000 without, and 30 ms for
//! getProgramAccounts with 10,000 accounts. The limit is the processor, of which the bank's thread, the RPC server and
//! these clients take about as much each; docs/decisions/0046 has the details.

use std::{
    env,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use dzsim_ledger::{ClientName, Ledger, LedgerConfig, keypair};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use solana_account::Account;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::config::{RpcAccountInfoConfig, RpcProgramAccountsConfig, RpcSendTransactionConfig};
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use solana_transaction::Transaction;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

const CLIENTS: usize = 4;
const PROGRAM: Pubkey = Pubkey::new_from_array([7; 32]);
const ACCOUNTS: u64 = 10_000;
const ACCOUNT_BYTES: usize = 200;
const READS: u32 = 5;
const SUBSCRIBERS: u64 = 100;

struct Bench {
    ledger: Ledger,
    payer: Keypair,
    rpc: Arc<RpcClient>,
    /// Where it answers HTTP.
    http: SocketAddr,
    ws: String,
}

impl Bench {
    async fn start() -> anyhow::Result<Self> {
        let payer = keypair(0, "payer");
        let mut config = LedgerConfig::default().fund(payer.pubkey(), 1 << 50);
        for number in 0..ACCOUNTS {
            // Addresses as they are: the bank hashes a few of their bytes only.
            let address = keypair(0, &format!("account {number}")).pubkey();
            let account =
                Account { lamports: 1 << 30, data: vec![7; ACCOUNT_BYTES], owner: PROGRAM, ..Account::default() };
            config.accounts.push((address, account));
        }
        let started = Instant::now();
        let ledger = Ledger::start(config).await?;
        println!("start with {ACCOUNTS} accounts      {:>10.1?}", started.elapsed());
        let [http, ws] = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let address = http.local_addr()?;
        let rpc = Arc::new(RpcClient::new(format!("http://{address}")));
        let ws_url = format!("ws://{}", ws.local_addr()?);
        ledger.serve(http, ws, ClientName::new("bench"))?;
        Ok(Self { ledger, payer, rpc, http: address, ws: ws_url })
    }

    /// Signed transfers, no two alike.
    fn transfers(&self, count: u64, label: u8) -> Vec<Transaction> {
        let blockhash = self.ledger.latest_blockhash();
        let to = Pubkey::new_from_array([label; 32]);
        let one = |nth| {
            let instruction = transfer(&self.payer.pubkey(), &to, 1_000_000 + nth);
            Transaction::new_signed_with_payer(&[instruction], Some(&self.payer.pubkey()), &[&self.payer], blockhash)
        };
        (0..count).map(one).collect()
    }

    async fn send(&self, count: u64, label: u8, skip_preflight: bool) -> anyhow::Result<Duration> {
        let config = RpcSendTransactionConfig { skip_preflight, ..RpcSendTransactionConfig::default() };
        let mut transactions = self.transfers(count, label);
        let mut clients = Vec::new();
        let started = Instant::now();
        for nth in 0..CLIENTS {
            let mine = transactions.split_off(transactions.len() * (CLIENTS - nth - 1) / (CLIENTS - nth));
            let rpc = Arc::clone(&self.rpc);
            clients.push(tokio::spawn(async move {
                for transaction in mine {
                    rpc.send_transaction_with_config(&transaction, config).await?;
                }
                anyhow::Ok(())
            }));
        }
        for client in clients {
            client.await??;
        }
        Ok(started.elapsed())
    }
}

impl Bench {
    /// Changes an account this number of times while many subscribe to its program.
    async fn fan_out(&self, changes: u64) -> anyhow::Result<Duration> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "programSubscribe",
            "params": [Pubkey::default().to_string(), {"encoding": "base64+zstd", "filters": [{"dataSize": 0}]}]});
        let mut subscribers = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let (mut socket, _) = connect_async(&self.ws).await?;
            socket.send(Message::text(request.to_string())).await?;
            socket.next().await.context("an answer")??;
            subscribers.push(tokio::spawn(async move {
                // Payer and payee change each time.
                for _ in 0..2 * changes {
                    socket.next().await.context("a notification")??;
                }
                anyhow::Ok(())
            }));
        }
        let transactions = self.transfers(changes, 4);
        let started = Instant::now();
        for transaction in transactions {
            self.ledger.send_without_preflight(transaction.into()).await?;
        }
        for subscriber in subscribers {
            subscriber.await??;
        }
        Ok(started.elapsed())
    }
}

impl Bench {
    /// Reads all accounts of the program and decodes nothing; returns the bytes of the answer.
    async fn read_bytes(&self, encoding: UiAccountEncoding) -> anyhow::Result<usize> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "getProgramAccounts",
            "params": [PROGRAM.to_string(), {"encoding": encoding}]})
        .to_string();
        let mut stream = TcpStream::connect(self.http).await?;
        let head = "POST / HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nconnection: close\r\n";
        let length = request.len();
        stream.write_all(format!("{head}content-length: {length}\r\n\r\n{request}").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..100]));
        Ok(answer.len())
    }
}

fn report(what: &str, count: u64, took: Duration) {
    let per_second = count as f64 / took.as_secs_f64();
    println!("{what:<32}{per_second:>10.0} per second, {:.1?} each", took / u32::try_from(count).unwrap_or(u32::MAX));
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let count = env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5_000);
    let bench = Bench::start().await?;

    let transactions = bench.transfers(count, 1);
    let started = Instant::now();
    for transaction in transactions {
        bench.ledger.send_without_preflight(transaction.into()).await?;
    }
    report("in process, no preflight", count, started.elapsed());
    report("RPC, 4 clients, no preflight", count, bench.send(count, 2, true).await?);
    report("RPC, 4 clients, preflight", count, bench.send(count, 3, false).await?);

    let changes = count / 10;
    let took = bench.fan_out(changes).await?;
    report("told to 100 subscribers", changes * SUBSCRIBERS, took);

    let started = Instant::now();
    for _ in 0..READS {
        bench.ledger.program_accounts(&PROGRAM);
    }
    println!("{ACCOUNTS} accounts from the index   {:>10.1?}", started.elapsed() / READS);
    for encoding in [UiAccountEncoding::Base64, UiAccountEncoding::Base64Zstd] {
        let started = Instant::now();
        let mut bytes = 0;
        for _ in 0..READS {
            bytes = bench.read_bytes(encoding).await?;
        }
        println!("{ACCOUNTS} accounts, {encoding:?} {bytes:>9} bytes by RPC {:>10.1?}", started.elapsed() / READS);
    }
    let account_config =
        RpcAccountInfoConfig { encoding: Some(UiAccountEncoding::Base64), ..RpcAccountInfoConfig::default() };
    let config = RpcProgramAccountsConfig { account_config, ..RpcProgramAccountsConfig::default() };
    let started = Instant::now();
    for _ in 0..READS {
        let accounts = bench.rpc.get_program_ui_accounts_with_config(&PROGRAM, config.clone()).await?;
        anyhow::ensure!(accounts.len() as u64 == ACCOUNTS, "{} accounts", accounts.len());
    }
    println!("{ACCOUNTS} accounts by RPC, decoded  {:>10.1?}", started.elapsed() / READS);
    Ok(())
}

//! A ledger with a small program of its own, and clients of it.

use std::{net::TcpListener, sync::Arc, time::Duration};

use dzsim_ledger::{ClientName, FaultHandle, Ledger, LedgerConfig, processor};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use solana_account_info::{AccountInfo, next_account_info};
use solana_clock::Clock;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_program_error::{ProgramError, ProgramResult};
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_signer::Signer;
use solana_system_interface::instruction::create_account;
use solana_sysvar::program_stubs;
use solana_transaction::Transaction;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const SOL: u64 = 1_000_000_000;

/// The program: boxes that hold bytes.
pub(crate) const BOXES: Pubkey = Pubkey::new_from_array([77; 32]);

/// What the program does to a box, which is its first account.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Makes it, of the payer's (second account) money, with this content.
    Make { id: u8, content: Vec<u8> },
    /// Replaces its content by one of the same length.
    Write(Vec<u8>),
    /// Gives its money to the payer (second account).
    Close,
    /// Fails with this code, after having said so.
    Fail(u32),
    /// Writes the clock's slot into it, and gives it back.
    Slot,
    /// Panics.
    Panic,
}

impl Do {
    fn pack(&self) -> Vec<u8> {
        match self {
            Self::Make { id, content } => [&[0, *id], content.as_slice()].concat(),
            Self::Write(content) => [&[1], content.as_slice()].concat(),
            Self::Close => vec![2],
            Self::Fail(code) => [&[3], code.to_le_bytes().as_slice()].concat(),
            Self::Slot => vec![4],
            Self::Panic => vec![5],
        }
    }
}

fn process(program: &Pubkey, accounts: &[AccountInfo<'_>], data: &[u8]) -> ProgramResult {
    let accounts = &mut accounts.iter();
    let the_box = next_account_info(accounts)?;
    let payer = next_account_info(accounts)?;
    match data.split_first().ok_or(ProgramError::InvalidInstructionData)? {
        (0, rest) => {
            let (id, content) = rest.split_first().ok_or(ProgramError::InvalidInstructionData)?;
            let (_, bump) = Pubkey::find_program_address(&[payer.key.as_ref(), &[*id]], program);
            let lamports = 1_000_000 + 10_000 * content.len() as u64;
            let create = create_account(payer.key, the_box.key, lamports, content.len() as u64, program);
            let seeds: &[&[u8]] = &[payer.key.as_ref(), &[*id], &[bump]];
            program_stubs::sol_invoke_signed(&create, &[payer.clone(), the_box.clone()], &[seeds])?;
            the_box.try_borrow_mut_data()?.copy_from_slice(content);
        }
        (1, content) => {
            let mut data = the_box.try_borrow_mut_data()?;
            if data.len() != content.len() {
                return Err(ProgramError::InvalidArgument);
            }
            data.copy_from_slice(content);
        }
        (2, _) => {
            let lamports = the_box.lamports();
            **the_box.try_borrow_mut_lamports()? = 0;
            **payer.try_borrow_mut_lamports()? += lamports;
        }
        (3, code) => {
            let code = u32::from_le_bytes(code.try_into().map_err(|_| ProgramError::InvalidInstructionData)?);
            program_stubs::sol_log("failing as asked");
            return Err(ProgramError::Custom(code));
        }
        (4, _) => {
            let clock = bincode::deserialize::<Clock>(&next_account_info(accounts)?.try_borrow_data()?);
            let slot = clock.map_err(|_| ProgramError::InvalidAccountData)?.slot.to_le_bytes();
            the_box.try_borrow_mut_data()?[..8].copy_from_slice(&slot);
            program_stubs::sol_set_return_data(&slot);
        }
        _ => panic!("as asked"),
    }
    Ok(())
}

/// The address of a payer's box.
pub(crate) fn box_address(payer: &Pubkey, id: u8) -> Pubkey {
    Pubkey::find_program_address(&[payer.as_ref(), &[id]], &BOXES).0
}

pub(crate) fn instruction(payer: &Pubkey, the_box: Pubkey, what: &Do) -> Instruction {
    let accounts = vec![
        AccountMeta::new(the_box, false),
        AccountMeta::new(*payer, true),
        AccountMeta::new_readonly(solana_sysvar::clock::ID, false),
        AccountMeta::new_readonly(Pubkey::default(), false),
    ];
    Instruction { program_id: BOXES, accounts, data: what.pack() }
}

/// A ledger, a payer with 1,000 SOL, and where the client `node` reaches it.
pub(crate) struct Stage {
    pub(crate) ledger: Ledger,
    pub(crate) payer: Arc<Keypair>,
    pub(crate) http: String,
    pub(crate) ws: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(LedgerConfig::default()).await
    }

    pub(crate) async fn with(config: LedgerConfig) -> Self {
        let payer = dzsim_ledger::keypair(config.seed, "payer");
        let config = config.program(BOXES, "boxes", processor!(process)).fund(payer.pubkey(), 1000 * SOL);
        let ledger = Ledger::start(config).await.unwrap();
        let (http, ws) = serve(&ledger, "node");
        Self { ledger, payer: Arc::new(payer), http, ws }
    }

    pub(crate) fn faults(&self) -> FaultHandle {
        self.ledger.faults(&ClientName::new("node"))
    }

    pub(crate) fn rpc(&self) -> RpcClient {
        RpcClient::new_with_commitment(self.http.clone(), CommitmentConfig::confirmed())
    }

    pub(crate) fn the_box(&self, id: u8) -> Pubkey {
        box_address(&self.payer.pubkey(), id)
    }

    /// A signed transaction that does these things to a box.
    pub(crate) fn transaction(&self, id: u8, what: &[Do]) -> Transaction {
        let payer = self.payer.pubkey();
        let instructions: Vec<_> = what.iter().map(|what| instruction(&payer, self.the_box(id), what)).collect();
        let blockhash = self.ledger.latest_blockhash();
        Transaction::new_signed_with_payer(&instructions, Some(&payer), &[&self.payer], blockhash)
    }

    /// Lands a transaction that does these things to a box.
    pub(crate) async fn land(&self, id: u8, what: &[Do]) -> Arc<dzsim_ledger::Landed> {
        self.ledger.send(self.transaction(id, what).into()).await.unwrap()
    }
}

/// A new pair of listeners for a client; returns their URLs.
pub(crate) fn serve(ledger: &Ledger, client: &str) -> (String, String) {
    let [http, ws] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let urls = (format!("http://{}", http.local_addr().unwrap()), format!("ws://{}", ws.local_addr().unwrap()));
    ledger.serve(http, ws, ClientName::new(client)).unwrap();
    urls
}

/// Waits for an answer, and says what was waited for if none comes.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within 20 s"),
    }
}

/// The next item of a stream that has one.
pub(crate) async fn next<T>(what: &str, stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    soon(what, stream.next()).await.unwrap_or_else(|| panic!("the stream ended, expected {what}"))
}

/// Asks a method that no client has, or in a way that no client would.
pub(crate) async fn raw_http(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that has not read all of the request resets the connection after its answer.
    let _ = soon("an answer", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Posts a body and returns the body of the answer.
pub(crate) async fn post(url: &str, body: &str) -> String {
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let answer = raw_http(url, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Calls a method; returns the whole answer.
pub(crate) async fn call(url: &str, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    serde_json::from_str(&post(url, &body.to_string()).await).unwrap()
}

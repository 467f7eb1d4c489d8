//! The command line as a process, behind a relay: what it says to ledger and daemon and what it hears is passed on, so
//! many pieces of it, and then nothing more.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    process::{Child, Command},
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

use crate::world::{Who, World};

/// Room for any piece.
const PIECE: usize = 1 << 20;

/// Between one command line and the rest of the world.
pub(super) struct Relay {
    gate: Arc<Gate>,
    folder: TempDir,
    rpc_url: String,
    ws_url: String,
    tasks: Vec<JoinHandle<()>>,
}

struct Gate {
    passed: AtomicUsize,
    limit: usize,
    through: Notify,
}

impl Gate {
    /// Lets a piece pass, or keeps it for ever.
    async fn pass(&self) {
        if self.passed.fetch_add(1, Ordering::SeqCst) >= self.limit {
            self.through.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Relay {
    /// Passes this number of pieces on.
    pub(super) async fn new(world: &World, limit: usize) -> Self {
        let gate = Arc::new(Gate { passed: AtomicUsize::new(0), limit, through: Notify::new() });
        let folder = tempfile::tempdir().unwrap();
        let ledger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let rpc_url = format!("http://{}", ledger.local_addr().unwrap());
        let daemon = UnixListener::bind(folder.path().join("daemon.sock")).unwrap();
        let (upstream, socket) = (world.here.rpc.trim_start_matches("http://").to_owned(), world.socket());
        let tasks = vec![
            tokio::spawn({
                let gate = gate.clone();
                async move {
                    let mut connections = JoinSet::new();
                    while let Ok((near, _)) = ledger.accept().await {
                        let far = TcpStream::connect(&upstream).await.unwrap();
                        connections.spawn(pass_on(gate.clone(), near, far));
                    }
                }
            }),
            tokio::spawn({
                let gate = gate.clone();
                async move {
                    let mut connections = JoinSet::new();
                    while let Ok((near, _)) = daemon.accept().await {
                        let far = UnixStream::connect(&socket).await.unwrap();
                        connections.spawn(pass_on(gate.clone(), near, far));
                    }
                }
            }),
        ];
        let key = Who::Client.keypair().to_bytes().to_vec();
        std::fs::write(folder.path().join("key.json"), serde_json::to_string(&key).unwrap()).unwrap();
        Self { gate, folder, rpc_url, ws_url: world.here.ws.clone(), tasks }
    }

    /// Starts the command line.
    pub(super) fn doublezero(&self, args: &str) -> Child {
        let file = |name: &str| -> PathBuf { self.folder.path().join(name) };
        Command::new(env!("CARGO_BIN_EXE_doublezero"))
            .args(["--rpc-url", &self.rpc_url, "--ws-url", &self.ws_url])
            .arg("--socket")
            .arg(file("daemon.sock"))
            .arg("--keypair")
            .arg(file("key.json"))
            .args(args.split_whitespace())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Waits until there is a piece that does not pass.
    pub(super) async fn is_through(&self) {
        self.gate.through.notified().await;
    }
}

/// Both directions of a connection.
async fn pass_on(gate: Arc<Gate>, near: impl AsyncRead + AsyncWrite, far: impl AsyncRead + AsyncWrite) {
    let ((from_near, to_near), (from_far, to_far)) = (split(near), split(far));
    tokio::join!(pass(&gate, from_near, to_far), pass(&gate, from_far, to_near));
}

/// One direction, until either side has had enough.
async fn pass(gate: &Gate, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut piece = vec![0; PIECE];
    while let Ok(length) = from.read(&mut piece).await {
        if length == 0 {
            break;
        }
        gate.pass().await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

//! The daemon as a process, and its log as a way to stop it at each of its steps.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use dz_net::netns::NetNs;
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    unistd::pipe2,
};
use tokio::{io::AsyncReadExt, net::unix::pipe};

use super::{CLIENT, Urls, World};

/// A running daemon.
pub(crate) struct Doublezerod(Child);

impl Doublezerod {
    pub(super) fn spawn(ns: &NetNs, folder: &Path, socket: &Path, ledger: &Urls, log: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doublezerod"));
        command
            .args(["--probe-timeout", "200ms", "--probe-period", "100ms"])
            .args(["--client-ip", &CLIENT.to_string(), "--rpc-url", &ledger.rpc, "--ws-url", &ledger.ws])
            .arg("--socket")
            .arg(socket)
            .arg("--state-dir")
            .arg(folder.join("state"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(log);
        Self(ns.wrap(&mut command).spawn().unwrap())
    }

    /// As `kill -9` does.
    pub(super) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A daemon whose log is a pipe with room for one line (`O_DIRECT` keeps lines apart, pipe(2)): as long as a line is
/// not read, it gets no further than to the end of its next step, which it cannot report.
pub(crate) struct Stepped {
    daemon: Doublezerod,
    log: pipe::Receiver,
}

impl World {
    /// Starts a daemon that has settled and has had no request since.
    pub(crate) async fn start_stepped_daemon(&self) -> Stepped {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT).unwrap();
        // Rounded up to a page, which is room for one line.
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(1)).unwrap();
        let daemon = self.spawn_daemon(&self.there, writer.into());
        let mut stepped = Stepped { daemon, log: pipe::Receiver::from_owned_fd(reader).unwrap() };
        stepped.runs_until(self.up()).await;
        stepped
    }
}

impl Stepped {
    /// Lets it run until something else is done.
    async fn runs_until<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                // What is done is seen once there is nothing left to read.
                biased;
                _ = self.step() => {}
                value = &mut done => return value,
            }
        }
    }

    /// Waits until it has logged a step.
    pub(crate) async fn stands(&self) {
        self.log.readable().await.unwrap();
    }

    /// Reads which step it was and lets it go on.
    pub(crate) async fn step(&mut self) -> String {
        let mut line = vec![0; 4096];
        let length = self.log.read(&mut line).await.unwrap();
        String::from_utf8_lossy(&line[..length]).trim_end().to_owned()
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.daemon.kill();
    }
}

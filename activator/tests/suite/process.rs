//! The process: it starts without a ledger, says so, and stops on request.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use solana_keypair::{Keypair, write_keypair_file};

/// What is waited for must come within this.
const DEADLINE: Duration = Duration::from_secs(20);

/// Killed when the test is over, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn activator(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dz-activator"));
    // Nothing listens on the discard port of the loopback.
    command.args(["--rpc-url", "http://127.0.0.1:9", "--ws-url", "ws://127.0.0.1:9"]).args(args);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The log lines of a process as they come; the channel closes when it ends.
fn lines(log: ChildStderr) -> Receiver<Value> {
    let (lines, received) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines() {
            let line = line.unwrap();
            let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
            if lines.send(value).is_err() {
                return;
            }
        }
    });
    received
}

/// Waits for the line with this message.
fn wait_for(lines: &Receiver<Value>, message: &str) -> Value {
    loop {
        let line = lines.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("{message}: {error}"));
        if line["message"] == message {
            return line;
        }
    }
}

fn healthz(address: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET /healthz HTTP/1.1\r\nhost: activator\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn without_a_ledger_it_is_unhealthy_and_stops_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.json");
    write_keypair_file(&Keypair::new(), &key).unwrap();
    let args = ["--keypair", key.to_str().unwrap(), "--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut running = Running(activator(&args).spawn().unwrap());
    let lines = lines(running.0.stderr.take().unwrap());
    let started = wait_for(&lines, "started");
    assert_eq!(started["role"], "activator");
    let away = wait_for(&lines, "the chain cannot be read");
    assert!(away["error"].as_str().unwrap().starts_with("ledger at http://127.0.0.1:9: "), "{away}");
    let answer = healthz(started["listen"].as_str().unwrap());
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");

    kill(Pid::from_raw(running.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    wait_for(&lines, "stopping");
    assert_eq!(lines.recv_timeout(DEADLINE), Err(mpsc::RecvTimeoutError::Disconnected), "it does not end");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_missing_key_file_is_named() {
    let output = activator(&["--keypair", "/nowhere/key.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("key file /nowhere/key.json"), "{error}");
    assert!(error.contains("No such file or directory"), "{error}");
}

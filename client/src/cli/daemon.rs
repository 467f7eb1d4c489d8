//! The command line's side of the daemon's socket.

use std::{
    io,
    path::{Path, PathBuf},
};

use http_body_util::{BodyExt, Empty};
use hyper::{Method, Request, body::Bytes};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::api::{Latency, Status};

/// Why the daemon did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Nothing listens on the socket.
    #[error("doublezerod does not answer on {socket}: {source}; is it running?")]
    Unavailable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket is another user's.
    #[error("not permitted to use {socket}: run as a member of the group that owns it")]
    NotPermitted {
        /// The socket.
        socket: PathBuf,
    },
    /// The answer is none.
    #[error("doublezerod answered {path} with something unexpected: {reason}")]
    Answer {
        /// What was asked.
        path: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// The daemon behind a socket. Each request is a connection of its own: the socket is local.
#[derive(Clone, Debug)]
pub struct Daemon {
    socket: PathBuf,
}

impl Daemon {
    /// The daemon that listens there.
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Its tunnels; with `after`, once they are of a higher version.
    pub async fn status(&self, after: Option<u64>) -> Result<Status, DaemonError> {
        self.request(Method::GET, &with_after("/v2/status", after)).await
    }

    /// Its newest probe round; with `after`, once there is a newer one.
    pub async fn latency(&self, after: Option<u64>) -> Result<Latency, DaemonError> {
        self.request(Method::GET, &with_after("/v2/latency", after)).await
    }

    /// Lets it hold tunnels, or makes it hold none.
    pub async fn enable(&self, enabled: bool) -> Result<Status, DaemonError> {
        self.request(Method::POST, if enabled { "/enable" } else { "/disable" }).await
    }

    async fn request<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, DaemonError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => DaemonError::NotPermitted { socket: self.socket.clone() },
            _ => self.unavailable(source),
        })?;
        let lost = |error: hyper::Error| self.unavailable(io::Error::other(error));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        let connection = tokio::spawn(connection);
        let answer = |reason: String| DaemonError::Answer { path: path.to_owned(), reason };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "doublezerod")
            .body(Empty::<Bytes>::new())
            .map_err(|error| answer(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
        connection.abort();
        if !status.is_success() {
            return Err(answer(format!("{status}: {}", String::from_utf8_lossy(&body))));
        }
        serde_json::from_slice(&body).map_err(|error| answer(error.to_string()))
    }

    fn unavailable(&self, source: io::Error) -> DaemonError {
        DaemonError::Unavailable { socket: self.socket.clone(), source }
    }
}

fn with_after(path: &str, after: Option<u64>) -> String {
    after.map_or_else(|| path.to_owned(), |version| format!("{path}?after={version}"))
}

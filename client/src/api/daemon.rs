//! Client of the daemon's socket.

use std::{io, path::Path, sync::Arc};

use dz_service::{
    http::{self, RequestError},
    stream::{Connect, UnixConnector},
};
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;

use super::{Latency, Route, Status};

/// The largest answer read: a client with a thousand endpoints to probe takes a hundredth.
const MAX_ANSWER: usize = 64 << 20;

/// Why the daemon did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Nothing listens on the socket.
    #[error("doublezerod does not answer on {socket}: {source}; is it running?")]
    Unavailable {
        /// The socket.
        socket: String,
        /// Why.
        source: io::Error,
    },
    /// The socket is another user's.
    #[error("not permitted to use {socket}: run as a member of the group that owns it")]
    NotPermitted {
        /// The socket.
        socket: String,
    },
    /// It had begun to do what was asked for when another request asked for the contrary.
    #[error("doublezerod: {reason}")]
    Overtaken {
        /// What the other one asked for.
        reason: String,
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
    place: Arc<dyn Connect>,
}

impl Daemon {
    /// The daemon that listens on this Unix socket.
    pub fn at(socket: &Path) -> Self {
        Self::behind(Arc::new(UnixConnector::new(socket)))
    }

    /// The daemon that listens at this place.
    pub fn behind(place: Arc<dyn Connect>) -> Self {
        Self { place }
    }

    /// Its tunnels; with `after`, once they are of a higher version.
    ///
    /// # Errors
    /// The daemon does not answer, or not in this protocol.
    pub async fn status(&self, after: Option<u64>) -> Result<Status, DaemonError> {
        self.request(Method::GET, &with_after("/v2/status", after)).await
    }

    /// Its newest probe round; with `after`, once there is a newer one.
    ///
    /// # Errors
    /// The daemon does not answer, or not in this protocol.
    pub async fn latency(&self, after: Option<u64>) -> Result<Latency, DaemonError> {
        self.request(Method::GET, &with_after("/v2/latency", after)).await
    }

    /// The results of a round that begins now and asks every endpoint with all probes, far ones too.
    ///
    /// # Errors
    /// The daemon does not answer, or not in this protocol.
    pub async fn thorough_latency(&self) -> Result<Latency, DaemonError> {
        self.request(Method::GET, "/v2/latency?thorough=true").await
    }

    /// The routes through its tunnels.
    ///
    /// # Errors
    /// The daemon does not answer, or not in this protocol.
    pub async fn routes(&self) -> Result<Vec<Route>, DaemonError> {
        self.request(Method::GET, "/routes").await
    }

    /// Lets it hold tunnels, or makes it hold none.
    ///
    /// # Errors
    /// The daemon does not answer, or not in this protocol.
    pub async fn enable(&self, enabled: bool) -> Result<Status, DaemonError> {
        self.request(Method::POST, if enabled { "/enable" } else { "/disable" }).await
    }

    async fn request<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, DaemonError> {
        let answer = |reason: String| DaemonError::Answer { path: path.to_owned(), reason };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "doublezerod")
            .body(Full::default())
            .map_err(|error| answer(error.to_string()))?;
        let socket = || self.place.to_string();
        let response = match http::request(self.place.as_ref(), request, MAX_ANSWER).await {
            Ok(response) => response,
            Err(RequestError::Connect(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(DaemonError::NotPermitted { socket: socket() });
            }
            Err(RequestError::Connect(source)) => return Err(DaemonError::Unavailable { socket: socket(), source }),
            Err(error) => return Err(DaemonError::Unavailable { socket: socket(), source: io::Error::other(error) }),
        };
        if response.status() == StatusCode::CONFLICT {
            return Err(DaemonError::Overtaken { reason: String::from_utf8_lossy(response.body()).into_owned() });
        }
        if !response.status().is_success() {
            return Err(answer(format!("{}: {}", response.status(), String::from_utf8_lossy(response.body()))));
        }
        serde_json::from_slice(response.body()).map_err(|error| answer(error.to_string()))
    }
}

fn with_after(path: &str, after: Option<u64>) -> String {
    after.map_or_else(|| path.to_owned(), |version| format!("{path}?after={version}"))
}

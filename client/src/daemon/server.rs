//! The daemon's socket: HTTP with JSON, as [`crate::api`] says.

use std::{io, path::Path};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::{net::UnixListener, sync::watch};

use super::hub::Told;
use crate::api::{Latency, Status};

/// What the handlers need.
#[derive(Clone)]
pub struct Served {
    /// The tunnels.
    pub status: Told<Status>,
    /// The newest probe round.
    pub latency: Told<Latency>,
    /// Whether the daemon may hold tunnels; who reconciles listens to it and keeps it on disk.
    pub enabled: watch::Sender<bool>,
}

#[derive(Deserialize)]
struct After {
    after: Option<u64>,
}

/// Binds the socket, whose folder is made if need be. A socket that a killed daemon left is replaced, one that
/// answers is not.
pub async fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if tokio::net::UnixStream::connect(path).await.is_ok() {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// Serves until `stop` resolves.
pub async fn serve(
    listener: UnixListener,
    served: Served,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/v2/status", get(status))
        .route("/v2/latency", get(latency))
        .route("/enable", post(|state| enable(state, true)))
        .route("/disable", post(|state| enable(state, false)))
        .with_state(served);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn status(State(served): State<Served>, Query(After { after }): Query<After>) -> Json<Status> {
    Json(match after {
        Some(version) => served.status.after(version).await,
        None => served.status.now(),
    })
}

async fn latency(State(served): State<Served>, Query(After { after }): Query<After>) -> Json<Latency> {
    Json(match after {
        Some(version) => served.latency.after(version).await,
        None => served.latency.now(),
    })
}

async fn enable(State(served): State<Served>, enabled: bool) -> Json<Status> {
    let version = served.status.now().version;
    let changes = served.enabled.send_if_modified(|now| std::mem::replace(now, enabled) != enabled);
    Json(if changes { served.status.after(version).await } else { served.status.now() })
}

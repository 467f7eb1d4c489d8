//! The daemon's socket: HTTP with JSON, as [`crate::api`] says.

use std::{io, path::Path};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use tokio::net::UnixListener;

use super::{enabled::Enabled, hub::Told};
use crate::api::{Latency, Status};

/// What the handlers need.
#[derive(Clone)]
pub(super) struct Served {
    /// The tunnels.
    pub(super) status: Told<Status>,
    /// The newest probe round.
    pub(super) latency: Told<Latency>,
    /// Whether the daemon may hold tunnels.
    pub(super) enabled: Enabled,
}

#[derive(Deserialize)]
struct After {
    after: Option<u64>,
}

/// Binds the socket, whose folder is made if need be. A socket that a killed daemon left is replaced, one that
/// answers is not.
pub(super) async fn bind(path: &Path) -> io::Result<UnixListener> {
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

/// Serves for as long as it is polled.
pub(super) async fn serve(listener: UnixListener, served: Served) -> io::Result<()> {
    let router = Router::new()
        .route("/v2/status", get(status))
        .route("/v2/latency", get(latency))
        .route("/enable", post(|state| enable(state, true)))
        .route("/disable", post(|state| enable(state, false)))
        .with_state(served);
    axum::serve(listener, router).await
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

/// Answers once the tunnels are handled accordingly; the wish is on disk before.
async fn enable(State(served): State<Served>, enabled: bool) -> Result<Json<Status>, (StatusCode, String)> {
    served
        .enabled
        .set(enabled)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("the state folder cannot be written: {error}")))?;
    Ok(Json(served.status.until(|status| status.reconciler_enabled == enabled).await))
}

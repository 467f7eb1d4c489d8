//! The daemon's socket: HTTP with JSON, as [`crate::api`] says.

use std::{fs::Permissions, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use dz_service::{http, stream::Accept};
use serde::Deserialize;
use tokio::{net::UnixListener, time::timeout};
use tracing::info;

use super::{enabled::Enabled, latencies::Asking, published::Published, routes::Routes};
use crate::{
    api::{Daemon, Latency, Route, Service, Status},
    select,
};

/// Who may speak to the daemon: its own user and the group that owns the socket.
const SOCKET_MODE: u32 = 0o660;
/// How long a daemon that works takes to answer, at most.
const ANSWER: Duration = Duration::from_secs(2);

/// What the handlers need.
#[derive(Clone)]
pub(super) struct Served {
    /// The tunnels.
    pub(super) status: Published<Status>,
    /// The newest probe round.
    pub(super) latency: Published<Latency>,
    /// For probe rounds that are not too old.
    pub(super) asking: Asking,
    /// The routes through the tunnels.
    pub(super) routes: Routes,
    /// Whether the daemon may hold tunnels.
    pub(super) enabled: Enabled,
    /// How much nearer another device must be to count as nearer.
    pub(super) tolerance: Duration,
}

#[derive(Deserialize)]
struct After {
    after: Option<u64>,
}

#[derive(Deserialize)]
struct Wanted {
    after: Option<u64>,
    #[serde(default)]
    thorough: bool,
}

/// Binds the socket, whose folder is made if need be. A socket that a killed daemon left is replaced, one that
/// answers is not. Being connected is no answer: a child that a daemon was just starting when it was killed holds the
/// socket for as long as it has not become another program.
///
/// # Errors
/// The socket cannot be bound.
#[allow(clippy::disallowed_methods, reason = "the socket of the real world")]
pub async fn bind(path: &Path) -> io::Result<Box<dyn Accept>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if let Ok(Ok(_)) = timeout(ANSWER, Daemon::at(path).status(None)).await {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    std::fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    Ok(<dyn Accept>::unix(listener, path))
}

/// Serves until no connection can be accepted any more, and returns why.
pub(super) async fn serve(listener: Box<dyn Accept>, served: Served) -> io::Error {
    let router = Router::new()
        .route("/v2/status", get(status))
        .route("/v2/latency", get(latency))
        .route("/routes", get(routes))
        .route("/enable", post(|state| enable(state, true)))
        .route("/disable", post(|state| enable(state, false)))
        .with_state(served);
    http::serve(listener, router).await
}

async fn status(State(served): State<Served>, Query(After { after }): Query<After>) -> Json<Status> {
    let mut status = match after {
        Some(version) => served.status.after(version).await,
        None => served.status.now(),
    };
    served.latency.look(|latency| {
        for service in &mut status.services {
            measured(service, latency, served.tolerance);
        }
    });
    Json(status)
}

/// Enters what is known of the path to the tunnel's device, and to the nearest.
fn measured(service: &mut Service, latency: &Latency, tolerance: Duration) {
    let endpoint = latency.results.iter().find(|result| result.device_ip == service.tunnel_dst);
    service.current_device_rtt_nanoseconds = endpoint.and_then(|result| result.median_latency_ns);
    service.current_device_loss_percentage = endpoint.map(|result| result.loss_percentage);
    let rtts = latency
        .results
        .iter()
        .filter_map(|result| Some((result.device_code.as_str(), Duration::from_nanos(result.min_latency_ns?))));
    let nearest = select::nearest(rtts, &service.current_device, tolerance);
    service.lowest_latency_device = nearest.map(str::to_owned);
}

async fn latency(State(served): State<Served>, Query(Wanted { after, thorough }): Query<Wanted>) -> Json<Latency> {
    served.asking.for_results(thorough).await;
    Json(match after {
        Some(version) => served.latency.after(version).await,
        None => served.latency.now(),
    })
}

async fn routes(State(served): State<Served>) -> Json<Vec<Route>> {
    Json(served.routes.list())
}

/// Answers once the tunnels are handled accordingly, or another request has wished for the contrary; the wish is stored before.
async fn enable(State(served): State<Served>, enabled: bool) -> Result<Json<Status>, (StatusCode, String)> {
    served
        .enabled
        .set(enabled)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("the state cannot be stored: {error}")))?;
    info!(enabled, "tunnels turned on or off");
    let mut wish = served.enabled.subscribe();
    tokio::select! {
        biased;
        status = served.status.until(|status| status.reconciler_enabled == enabled) => Ok(Json(status)),
        Ok(_) = wish.wait_for(|wished| *wished != enabled) => {
            let turned = if enabled { "off" } else { "on" };
            Err((StatusCode::CONFLICT, format!("another request has turned its tunnels {turned} again")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::daemon::store::MemoryStore;

    /// What is served by a daemon that gets no further.
    fn served() -> Served {
        let status = Status {
            version: 1,
            reconciler_enabled: false,
            client_ip: [9, 1, 0, 1].into(),
            network: "localnet".to_owned(),
            slot: None,
            settled: false,
            services: vec![],
        };
        Served {
            status: Published::new(status),
            latency: Published::new(Latency { version: 1, ready: false, slot: None, results: vec![] }),
            asking: Asking::channel().0,
            routes: Routes::default(),
            enabled: Enabled::load(Arc::new(MemoryStore::default())).unwrap(),
            tolerance: ANSWER,
        }
    }

    #[tokio::test]
    async fn who_is_overtaken_is_told_so() {
        let served = served();
        let on = tokio::spawn(enable(State(served.clone()), true));
        // It has wished and waits.
        served.enabled.subscribe().wait_for(|wished| *wished).await.unwrap();
        let off = enable(State(served.clone()), false).await.unwrap();
        assert!(!off.reconciler_enabled);
        let refused = (StatusCode::CONFLICT, "another request has turned its tunnels off again".to_owned());
        assert_eq!(on.await.unwrap().map(|status| status.0), Err(refused));
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_that_answers_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run").join("doublezerod.sock");
        let first = bind(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        let serving = tokio::spawn(serve(first, served()));
        assert_eq!(bind(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        bind(&path).await.unwrap();
    }
}

//! The daemon's socket: HTTP with JSON, as [`crate::api`] says.

use std::{fs::Permissions, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use tokio::{net::UnixListener, time::timeout};
use tracing::info;

use super::{enabled::Enabled, hub::Told};
use crate::{
    api::{EndpointLatency, Latency, Status},
    cli::daemon::Daemon,
};

/// Who may speak to the daemon: its own user and the group that owns the socket.
const SOCKET_MODE: u32 = 0o660;
/// How long a daemon that works takes to answer, at most.
const ANSWER: Duration = Duration::from_secs(2);
/// How much faster another device must be to be told as faster, in nanoseconds.
const TOLERANCE_NS: u64 = 5_000_000;

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
/// answers is not. Being connected is no answer: a child that a daemon was just starting when it was killed holds the
/// socket for as long as it has not become another program.
pub(super) async fn bind(path: &Path) -> io::Result<UnixListener> {
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
    Ok(listener)
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
    let mut status = match after {
        Some(version) => served.status.after(version).await,
        None => served.status.now(),
    };
    let latency = served.latency.now();
    for service in &mut status.services {
        let endpoint = latency.results.iter().find(|result| result.device_ip == service.tunnel_dst);
        service.current_device_rtt_nanoseconds = endpoint.and_then(|result| result.median_latency_ns);
        service.current_device_loss_percentage = endpoint.map(|result| result.loss_percentage);
        service.lowest_latency_device = fastest(&latency.results, &service.current_device);
    }
    Json(status)
}

/// The fastest device, or the present one where the difference is within the tolerance: what is not worth moving for
/// is not told as faster.
fn fastest(results: &[EndpointLatency], current: &str) -> Option<String> {
    let median = |device: &str| {
        results.iter().filter(|result| result.device_code == device).filter_map(|result| result.median_latency_ns).min()
    };
    let (best, device) =
        results.iter().filter_map(|result| Some((result.median_latency_ns?, &result.device_code))).min()?;
    let near = median(current).is_some_and(|own| own <= best.saturating_add(TOLERANCE_NS));
    Some(if near { current.to_owned() } else { device.clone() })
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
    info!(enabled, "told whether to hold tunnels");
    Ok(Json(served.status.until(|status| status.reconciler_enabled == enabled).await))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn result(device: &str, median: Option<u64>) -> EndpointLatency {
        EndpointLatency {
            device_pk: String::new(),
            device_code: device.to_owned(),
            device_ip: [9, 1, 0, 1].into(),
            interface_name: "Ethernet1".to_owned(),
            min_latency_ns: median,
            median_latency_ns: median,
            avg_latency_ns: median,
            max_latency_ns: median,
            loss_percentage: 0,
            reachable: median.is_some(),
            last_seen: None,
        }
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_that_answers_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run").join("doublezerod.sock");
        let first = bind(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        let status = Status {
            version: 1,
            reconciler_enabled: false,
            client_ip: [9, 1, 0, 1].into(),
            network: "localnet".to_owned(),
            slot: None,
            settled: false,
            services: vec![],
        };
        let latency = Latency { version: 1, ready: false, slot: None, results: vec![] };
        let enabled = Enabled::load(folder.path()).unwrap();
        let served = Served { status: Told::new(status), latency: Told::new(latency), enabled };
        let serving = tokio::spawn(serve(first, served));
        assert_eq!(bind(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
        bind(&path).await.unwrap();
    }

    #[rstest]
    #[case(&[("nyc1", Some(9)), ("pit1", Some(5))], Some("nyc1"))]
    #[case(&[("nyc1", Some(10_000_000)), ("pit1", Some(5_000_000))], Some("nyc1"))]
    #[case(&[("nyc1", Some(10_000_001)), ("pit1", Some(5_000_000))], Some("pit1"))]
    #[case(&[("nyc1", None), ("pit1", Some(70_000_000))], Some("pit1"))]
    #[case(&[("nyc1", Some(90_000_000)), ("nyc1", Some(6)), ("pit1", Some(5))], Some("nyc1"))]
    #[case(&[("nyc1", None)], None)]
    fn the_fastest_device(#[case] results: &[(&str, Option<u64>)], #[case] expected: Option<&str>) {
        let results: Vec<_> = results.iter().map(|(device, median)| result(device, *median)).collect();
        assert_eq!(fastest(&results, "nyc1").as_deref(), expected);
    }
}

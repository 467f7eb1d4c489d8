//! The HTTP interface: devices fetch their config, wait for the next and report; people and the oracle look.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, ETAG, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use solana_pubkey::Pubkey;
use tokio::{sync::watch, time::Instant};

use super::{
    api::{ConfigAnswer, DeviceAnswer, DevicesAnswer, ErrorAnswer, Report},
    catalog::{Catalog, FailedLinks, Rendered},
    metrics::{Metrics, Outcome},
};
use crate::config::ConfigHash;

/// The longest a fetch is held, so that a dead connection is noticed some time.
const MAX_HOLD: Duration = Duration::from_secs(60);

/// How long after its start a controller counts on devices to report that outlived the one before: somewhat more than they
/// pause at most before they try again.
const HEARING: Duration = Duration::from_secs(3);

/// What all requests share.
pub(super) struct Shared {
    pub(super) catalog: watch::Receiver<Option<Arc<Catalog>>>,
    pub(super) reports: Mutex<BTreeMap<Pubkey, Report>>,
    /// The broken links in the reports.
    pub(super) failed_links: watch::Sender<FailedLinks>,
    pub(super) metrics: Arc<Metrics>,
    /// When the first watcher came.
    pub(super) started: Instant,
    /// Devices that have been answered.
    pub(super) answered: Mutex<BTreeSet<Pubkey>>,
    /// Notified of every report.
    pub(super) heard: watch::Sender<()>,
}

impl Shared {
    pub(super) fn new(catalog: watch::Receiver<Option<Arc<Catalog>>>, metrics: Arc<Metrics>) -> Self {
        Self {
            catalog,
            reports: Mutex::default(),
            failed_links: watch::Sender::default(),
            metrics,
            started: Instant::now(),
            answered: Mutex::default(),
            heard: watch::Sender::default(),
        }
    }

    /// Waits until the broken links are known again. A controller that has just started knows of none, and what it
    /// renders leads over them, while a device that has a config already goes around them by it.
    async fn hear_all(&self, deadline: Instant) {
        let (mut catalogs, mut heard) = (self.catalog.clone(), self.heard.subscribe());
        let heard_all = async {
            loop {
                heard.borrow_and_update();
                let catalog = catalogs.borrow_and_update().clone();
                if catalog.is_some_and(|catalog| self.has_heard_all(&catalog)) {
                    return;
                }
                let go_on = tokio::select! {
                    biased;
                    changed = catalogs.changed() => changed.is_ok(),
                    changed = heard.changed() => changed.is_ok(),
                };
                if !go_on {
                    return;
                }
            }
        };
        // Whoever is silent for that long is down, and the end of its links too.
        let _ = tokio::time::timeout_at(deadline.min(self.started + HEARING), heard_all).await;
    }

    fn has_heard_all(&self, catalog: &Catalog) -> bool {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        catalog.devices.keys().all(|device| reports.contains_key(device))
            && catalog.failed == *self.failed_links.borrow()
    }

    fn has_heard(&self, device: &Pubkey) -> bool {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).contains_key(device)
    }

    fn answered(&self) -> std::sync::MutexGuard<'_, BTreeSet<Pubkey>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/v1/devices", get(devices))
        .route("/v1/devices/{pubkey}/config", get(config))
        .route("/v1/devices/{pubkey}/report", post(report))
        .with_state(shared)
}

/// A refusal with its status.
#[derive(Debug)]
enum Refusal {
    BadRequest(String),
    Unknown(Pubkey),
    NoView,
    NotRendered {
        device: String,
        error: String,
    },
    /// The device has a config of another controller, and this one does not know which.
    Unheard,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::BadRequest(error) => (StatusCode::BAD_REQUEST, error),
            Self::Unknown(key) => (StatusCode::NOT_FOUND, format!("there is no device {key}")),
            Self::NoView => (StatusCode::SERVICE_UNAVAILABLE, "the ledger has not been read yet".to_owned()),
            Self::NotRendered { device, error } => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("device {device} has no config: {error}"))
            }
            Self::Unheard => (StatusCode::PRECONDITION_REQUIRED, "the device has not reported what it runs".to_owned()),
        };
        let answer = (status, Json(ErrorAnswer { error }));
        match status {
            StatusCode::SERVICE_UNAVAILABLE => ([(RETRY_AFTER, "1")], answer).into_response(),
            _ => answer.into_response(),
        }
    }
}

async fn healthz(State(shared): State<Arc<Shared>>) -> Result<&'static str, Refusal> {
    shared.catalog.borrow().as_ref().map(|_| "ok\n").ok_or(Refusal::NoView)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match shared.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn devices(State(shared): State<Arc<Shared>>) -> Result<Json<DevicesAnswer>, Refusal> {
    let catalog = shared.catalog.borrow().clone().ok_or(Refusal::NoView)?;
    let reports = shared.reports.lock().unwrap_or_else(PoisonError::into_inner);
    let mut devices: Vec<_> = catalog
        .devices
        .iter()
        .map(|(key, entry)| DeviceAnswer {
            pubkey: key.to_string(),
            code: entry.code.clone(),
            rendered: entry.rendered.as_ref().map(|rendered| rendered.revision()),
            error: entry.error.clone(),
            report: reports.get(key).cloned(),
        })
        .collect();
    devices.sort_by(|a, b| a.code.cmp(&b.code));
    Ok(Json(DevicesAnswer { slot: catalog.slot, devices }))
}

/// What a fetch may ask for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fetch {
    /// The config the caller has: it wants another.
    after: Option<ConfigHash>,
    /// Seconds it will wait for one.
    wait: Option<u64>,
}

async fn config(
    State(shared): State<Arc<Shared>>,
    Path(pubkey): Path<String>,
    Query(fetch): Query<Fetch>,
) -> Result<Response, Refusal> {
    let key = parse(&pubkey)?;
    let deadline = Instant::now() + Duration::from_secs(fetch.wait.unwrap_or(0)).min(MAX_HOLD);
    if fetch.after.is_some() && !shared.answered().contains(&key) {
        shared.hear_all(deadline).await;
        // Its report may have gone to a controller that is no more; held here, it would not send another.
        if !shared.has_heard(&key) {
            shared.metrics.fetched(Outcome::Unavailable);
            return Err(Refusal::Unheard);
        }
    }
    let mut catalogs = shared.catalog.clone();
    let result = loop {
        let found = find(catalogs.borrow_and_update().as_deref(), &key);
        match found {
            Ok(rendered) if Some(rendered.hash) != fetch.after => break Ok(rendered),
            other => {
                // Whatever stands in the way (no view, no such device, no change), the next catalog may end it.
                let changed = tokio::time::timeout_at(deadline, catalogs.changed()).await;
                if !matches!(changed, Ok(Ok(()))) {
                    break other;
                }
            }
        }
    };
    shared.metrics.fetched(match &result {
        Ok(rendered) if Some(rendered.hash) == fetch.after => Outcome::Unchanged,
        Ok(_) => Outcome::Config,
        Err(Refusal::Unknown(_) | Refusal::BadRequest(_)) => Outcome::Unknown,
        Err(Refusal::NoView | Refusal::NotRendered { .. } | Refusal::Unheard) => Outcome::Unavailable,
    });
    let rendered = result?;
    shared.answered().insert(key);
    let etag = [(ETAG, format!("\"{}\"", rendered.hash))];
    if Some(rendered.hash) == fetch.after {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    tracing::info!(device = %rendered.config.device, revision = rendered.revision, hash = %rendered.hash, "config fetched");
    let answer = ConfigAnswer { revision: rendered.revision, hash: rendered.hash, config: rendered.config.clone() };
    Ok((etag, Json(answer)).into_response())
}

fn find(catalog: Option<&Catalog>, key: &Pubkey) -> Result<Arc<Rendered>, Refusal> {
    let entry = catalog.ok_or(Refusal::NoView)?.devices.get(key).ok_or(Refusal::Unknown(*key))?;
    entry.rendered.clone().ok_or_else(|| Refusal::NotRendered {
        device: entry.code.clone(),
        error: entry.error.clone().unwrap_or_default(),
    })
}

async fn report(
    State(shared): State<Arc<Shared>>,
    Path(pubkey): Path<String>,
    Json(report): Json<Report>,
) -> Result<StatusCode, Refusal> {
    let key = parse(&pubkey)?;
    let catalog = shared.catalog.borrow().clone().ok_or(Refusal::NoView)?;
    let code = &catalog.devices.get(&key).ok_or(Refusal::Unknown(key))?.code;
    shared.metrics.reported();
    let running = report.running.map_or("none".to_owned(), |running| running.hash.to_string());
    let failed_links = report.failed_links.iter().cloned().collect::<Vec<_>>().join(", ");
    if report.failures.is_empty() {
        tracing::info!(device = code.as_str(), running, failed_links, "device reports");
    } else {
        let failures = report.failures.join("; ");
        tracing::warn!(device = code.as_str(), running, failed_links, failures, "device reports failures");
    }
    let failed: FailedLinks = {
        let mut reports = shared.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.insert(key, report);
        reports.retain(|key, _| catalog.devices.contains_key(key));
        let failing = reports.iter().filter(|(_, report)| !report.failed_links.is_empty());
        failing.map(|(key, report)| (*key, report.failed_links.clone())).collect()
    };
    shared.failed_links.send_if_modified(|known| {
        let changed = *known != failed;
        *known = failed;
        changed
    });
    shared.heard.send_replace(());
    Ok(StatusCode::NO_CONTENT)
}

fn parse(pubkey: &str) -> Result<Pubkey, Refusal> {
    pubkey.parse().map_err(|error| Refusal::BadRequest(format!("`{pubkey}` is no public key: {error}")))
}

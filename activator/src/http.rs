//! What the activator answers over HTTP: `/healthz` for a supervisor, `/metrics` for Prometheus.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use dz_sdk::Ledger;
use serde::Serialize;

use crate::{metrics::Metrics, status::Status};

/// What the handlers read.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) status: Arc<Status>,
}

pub(crate) fn router(shared: Shared) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics)).with_state(shared)
}

#[derive(Serialize)]
struct Health {
    /// True when the last exchange with the ledger worked and a plan has been made.
    healthy: bool,
    /// Slot of the view last planned from.
    planned_slot: Option<u64>,
    /// True when that plan had nothing to send.
    idle: bool,
    /// What the ledger said last, if that was an error.
    ledger_error: Option<String>,
}

async fn healthz(State(shared): State<Shared>) -> Response {
    let (planned_slot, ledger_error) = shared.status.get();
    let healthy = planned_slot.is_some() && ledger_error.is_none();
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Health { healthy, planned_slot, idle: shared.status.is_idle(), ledger_error })).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let view = shared.ledger.watch().borrow().clone();
    match shared.metrics.encode(view.as_deref()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

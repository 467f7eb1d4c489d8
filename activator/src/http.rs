//! The activator's HTTP interface: `/healthz` for a supervisor, `/metrics` for Prometheus.

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

#[cfg(test)]
mod tests {
    use dz_sdk::{
        local::{LocalBank, LocalLedger},
        program::ID,
    };
    use solana_pubkey::Pubkey;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn get(shared: &Shared, path: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(axum::serve(listener, router(shared.clone())).into_future());
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: activator\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        server.abort();
        answer
    }

    fn shared() -> Shared {
        let ledger =
            LocalLedger::new(LocalBank::new(ID, &Pubkey::new_from_array([1; 32])), Pubkey::new_from_array([1; 32]))
                .unwrap();
        Shared { ledger: Arc::new(ledger), metrics: Arc::default(), status: Arc::default() }
    }

    #[tokio::test]
    async fn health_is_what_the_reconciler_last_saw() {
        let shared = shared();
        let answer = get(&shared, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let body = r#"{"healthy":false,"planned_slot":null,"idle":false,"ledger_error":null}"#;
        assert!(answer.ends_with(body), "{answer}");

        shared.status.planned(7);
        shared.status.idle();
        let answer = get(&shared, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let body = r#"{"healthy":true,"planned_slot":7,"idle":true,"ledger_error":null}"#;
        assert!(answer.ends_with(body), "{answer}");

        shared.status.ledger_failed("gone");
        let answer = get(&shared, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.ends_with(r#""ledger_error":"gone"}"#), "{answer}");
    }

    #[tokio::test]
    async fn metrics_are_open_metrics_text() {
        let answer = get(&shared(), "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
        assert!(answer.contains("\ndz_activator_plans_total 0\n"), "{answer}");
        assert!(answer.contains("\ndz_activator_pending{kind=\"user\"} 0\n"), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
    }
}

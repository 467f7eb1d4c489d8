//! The listeners: who gets in, what a connection may take, and how it ends. Knows HTTP and nothing of the methods.

mod body;
mod guard;
mod socket;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Request, State, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};

use self::{body::AnswerBody, socket::Socket};
use crate::{
    connection::Connection,
    faults::Client,
    leader::read,
    pubsub,
    rpc::{self, Outcome},
    shared::Shared,
};

/// The answer to a client above the limit. Solana's clients take 429 for "later" and come again.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// How many of those for whom there is no place are let say what they want, at the most, and for how long. The others are
/// turned away at once.
const WAITING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to leave the listener alone when the process has no file descriptor left for a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(20);

/// Serves a listener for as long as the runtime lives.
pub(crate) async fn accept(core: Arc<Shared>, client: Arc<Client>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(core.limits.connections_per_listener));
    let room = Arc::new(Semaphore::new(WAITING));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, client = %client.name, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        if client.faults().outage {
            client.hits().cut += 1;
            // Dropping it with lingering off is a reset.
            let _ = stream.set_zero_linger();
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            match Arc::clone(&room).try_acquire_owned() {
                Ok(seat) => drop(tokio::spawn(turn_away_when_asked(stream, seat))),
                Err(_) => turn_away(&stream),
            }
            continue;
        };
        // Without it, a small answer may wait 40 ms for the peer's acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection without TCP_NODELAY");
        }
        let connection = Connection {
            core: Arc::clone(&core),
            client: Arc::clone(&client),
            stream: Arc::new(stream),
            killed: Notify::new(),
            place,
        };
        tokio::spawn(serve(Arc::new(connection)));
    }
}

/// Says that there is no place once the client has asked: an answer that comes before the question is an error to it.
async fn turn_away_when_asked(stream: TcpStream, _seat: OwnedSemaphorePermit) {
    // Not `readable`: that may say so when nothing is there.
    let _ = tokio::time::timeout(PATIENCE, stream.peek(&mut [0])).await;
    turn_away(&stream);
}

/// Says that there is no place, and ends. Both fit the socket's empty buffer, so nothing waits.
fn turn_away(stream: &TcpStream) {
    // A request that was not read would turn the close into a reset, and the answer would be lost.
    let mut request = [0; 4096];
    let _ = stream.try_read(&mut request);
    let _ = stream.try_write(NO_PLACE);
}

async fn serve(connection: Arc<Connection>) {
    let limits = &connection.core.limits;
    let stream = Socket::new(Arc::clone(&connection.stream), limits.write);
    let service = axum::Router::new().fallback(handle).with_state(Arc::clone(&connection));
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::select! {
        result = http => {
            if let Err(error) = result {
                tracing::trace!(%error, client = %connection.client.name, "a connection ended");
            }
        }
        () = connection.client.broken() => connection.reset_when_closed(),
        () = connection.killed.notified() => connection.reset_when_closed(),
    }
}

async fn handle(State(connection): State<Arc<Connection>>, request: Request) -> Response {
    let origin = match guard::check(request.headers(), request.uri(), &connection.core.origins) {
        Ok(origin) => origin,
        Err(refusal) => return (StatusCode::FORBIDDEN, refusal.to_string()).into_response(),
    };
    let mut response = respond(&connection, request).await;
    if let Some(origin) = origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

async fn respond(connection: &Arc<Connection>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    match parts.method {
        Method::GET if parts.headers.contains_key(header::UPGRADE) => {
            match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
                Ok(upgrade) => {
                    let limit = connection.core.limits.request_bytes;
                    let connection = Arc::clone(connection);
                    upgrade
                        .max_message_size(limit)
                        .max_frame_size(limit)
                        .on_upgrade(move |socket| pubsub::run(connection, socket))
                }
                Err(rejection) => rejection.into_response(),
            }
        }
        Method::GET if parts.uri.path() == "/health" => health(connection).into_response(),
        Method::POST if !is_json(&parts.headers) => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Supplied content type is not allowed. Content-Type: application/json is required\n",
        )
            .into_response(),
        Method::POST => call(connection, body).await,
        Method::OPTIONS => (
            [(header::ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"), (header::ACCESS_CONTROL_ALLOW_HEADERS, "*")],
            StatusCode::OK,
        )
            .into_response(),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "Used HTTP Method is not allowed. POST or OPTIONS is required\n")
            .into_response(),
    }
}

/// What load balancers ask a validator.
fn health(connection: &Connection) -> String {
    let lag = connection.client.faults().read_lag;
    let replica = read(&connection.core.replica);
    match replica.slot(0) - replica.slot(lag) {
        0 => "ok".into(),
        behind => format!("behind {{ distance: {behind} }}"),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn call(connection: &Connection, body: Body) -> Response {
    let limits = &connection.core.limits;
    let body = match tokio::time::timeout(limits.idle, to_bytes(body, limits.request_bytes)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let start = Instant::now();
    let outcome = rpc::answer(&connection.core, &connection.client, &body).await;
    let took_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    connection.core.latest_ns.fetch_max(took_ns, Ordering::Relaxed);
    let delay = connection.client.faults().answer_delay;
    if !delay.is_zero() {
        connection.client.hits().delayed += 1;
        tokio::time::sleep(delay).await;
    }
    match outcome {
        Outcome::Answer(Some(answer)) => {
            let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
            (kind, Body::new(AnswerBody::new(answer))).into_response()
        }
        Outcome::Answer(None) => StatusCode::OK.into_response(),
        Outcome::Busy => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
        Outcome::Reset => {
            connection.killed.notify_one();
            // The connection is dropped with this in it.
            std::future::pending().await
        }
    }
}

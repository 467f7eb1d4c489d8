//! A GET of one of the scenario's servers, answered in JSON.

use anyhow::Context;
use dz_service::{http, stream::Connect};
use http_body_util::Full;
use hyper::{Request, body::Bytes, header::HOST};

/// No answer is longer, in bytes.
const LONGEST: usize = 256 << 20;

/// The value in the answer, which must be a success.
///
/// # Errors
/// There is no answer, or it is no success or not such a value.
pub async fn get_json<T: serde::de::DeserializeOwned>(place: &dyn Connect, path: &str) -> anyhow::Result<T> {
    let request = Request::get(path).header(HOST, "dzsim").body(Full::<Bytes>::default())?;
    let answer = http::request(place, request, LONGEST).await.with_context(|| format!("asking {place} for {path}"))?;
    let (status, body) = (answer.status(), answer.into_body());
    anyhow::ensure!(status.is_success(), "{place}{path} answered {status}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).with_context(|| format!("reading the answer to {path}"))
}

//! Talking to the controller: fetch, wait for the next, report. HTTP and nothing else.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, body::Bytes, header::CONTENT_TYPE};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use solana_pubkey::Pubkey;

use crate::{
    config::ConfigHash,
    serve::api::{ConfigAnswer, ErrorAnswer, Report},
};

/// How long the controller may hold a fetch.
const HOLD: Duration = Duration::from_secs(30);
/// How much longer an answer may take.
const GRACE: Duration = Duration::from_secs(10);
/// The largest answer read: a device with all its tunnels takes a tenth.
const MAX_ANSWER: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The controller's address is none.
    #[error("`{url}` is no address of a controller: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The controller cannot be reached, or the connection broke.
    #[error("controller at {url}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// It does not answer in time.
    #[error("controller at {url}: no answer within {} s", .after.as_secs())]
    Timeout {
        /// Where it was looked for.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// It refuses.
    #[error("controller at {url}: {status}: {error}")]
    Refused {
        /// Where it is.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// Its reason.
        error: String,
    },
    /// Its answer makes no sense.
    #[error("controller at {url}: unreadable answer: {reason}")]
    Unreadable {
        /// Where it is.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A device's line to its controller.
pub(super) struct Controller {
    url: String,
    device: Pubkey,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Controller {
    pub(super) fn new(url: &str, device: Pubkey) -> Result<Self, FetchError> {
        let invalid = |reason: String| FetchError::Url { url: url.to_owned(), reason };
        let uri: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| invalid(error.to_string()))?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(invalid("expected http://HOST:PORT".to_owned()));
        }
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { url, device, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Waits for a config other than this one; none if there was no other within the time a fetch is held.
    pub(super) async fn fetch(&self, after: Option<ConfigHash>) -> Result<Option<ConfigAnswer>, FetchError> {
        let mut path = format!("config?wait={}", HOLD.as_secs());
        if let Some(hash) = after {
            path.push_str(&format!("&after={hash}"));
        }
        let (status, body) = self.call(Method::GET, &path, Bytes::new(), HOLD + GRACE).await?;
        match status {
            StatusCode::OK => {
                let answer: ConfigAnswer = serde_json::from_slice(&body)
                    .map_err(|error| FetchError::Unreadable { url: self.url.clone(), reason: error.to_string() })?;
                Ok(Some(answer))
            }
            StatusCode::NOT_MODIFIED => Ok(None),
            status => Err(self.refused(status, &body)),
        }
    }

    /// Says what the device runs.
    pub(super) async fn report(&self, report: &Report) -> Result<(), FetchError> {
        let body = serde_json::to_vec(report)
            .map_err(|error| FetchError::Unreadable { url: self.url.clone(), reason: error.to_string() })?;
        let (status, body) = self.call(Method::POST, "report", body.into(), GRACE).await?;
        if status.is_success() { Ok(()) } else { Err(self.refused(status, &body)) }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<(StatusCode, Bytes), FetchError> {
        let uri = format!("{}/v1/devices/{}/{path}", self.url, self.device);
        let unreadable = |reason: String| FetchError::Unreadable { url: self.url.clone(), reason };
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| FetchError::Url { url: self.url.clone(), reason: error.to_string() })?;
        let answer = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| FetchError::Unreachable { url: self.url.clone(), reason: with_sources(&error) })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER);
            let body = body.collect().await.map_err(|error| unreadable(error.to_string()))?;
            Ok((status, body.to_bytes()))
        };
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::Timeout { url: self.url.clone(), after: limit }),
        }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> FetchError {
        let error = match serde_json::from_slice::<ErrorAnswer>(body) {
            Ok(answer) => answer.error,
            Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
        };
        FetchError::Refused { url: self.url.clone(), status, error }
    }
}

/// An error with all that caused it; the client's own says only that the request failed.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

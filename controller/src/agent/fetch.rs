//! Talking to the controller: fetch, wait for the next, report. HTTP and nothing else.

use std::{sync::Arc, time::Duration};

use dz_service::{
    http::{self, RequestError},
    stream::{Connect, TcpConnector},
};
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    header::{CONTENT_TYPE, HOST},
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

/// The place that a controller's address names.
pub(super) fn connector(url: &str) -> Result<TcpConnector, FetchError> {
    let invalid = |reason: String| FetchError::Url { url: url.to_owned(), reason };
    let uri: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| invalid(error.to_string()))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(host)) => Ok(TcpConnector::new(host, uri.port_u16().unwrap_or(80))),
        _ => Err(invalid("expected http://HOST:PORT".to_owned())),
    }
}

/// A device's line to its controller.
pub(super) struct Controller {
    url: String,
    device: Pubkey,
    place: Arc<dyn Connect>,
}

impl Controller {
    /// The controller at this address, which answers at this place.
    pub(super) fn new(url: &str, device: Pubkey, place: Arc<dyn Connect>) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), device, place }
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
        let uri = format!("/v1/devices/{}/{path}", self.device);
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(HOST, self.place.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| FetchError::Url { url: self.url.clone(), reason: error.to_string() })?;
        let url = || self.url.clone();
        match tokio::time::timeout(limit, http::request(self.place.as_ref(), request, MAX_ANSWER)).await {
            Ok(Ok(answer)) => Ok((answer.status(), answer.into_body())),
            Ok(Err(error @ RequestError::Body(_))) => {
                Err(FetchError::Unreadable { url: url(), reason: error.to_string() })
            }
            Ok(Err(error)) => Err(FetchError::Unreachable { url: url(), reason: error.to_string() }),
            Err(_) => Err(FetchError::Timeout { url: url(), after: limit }),
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const DEVICE: Pubkey = Pubkey::new_from_array([3; 32]);

    fn controller(url: &str) -> Controller {
        Controller::new(url, DEVICE, Arc::new(connector(url).expect("an address")))
    }

    /// A controller that gives one answer; returns its address and what it was asked.
    async fn answering(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("the answer is sent");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (url, asked)
    }

    #[test]
    fn an_address_must_be_one() {
        for (url, reason) in [
            ("", "empty string"),
            ("127.0.0.1:7000", "expected http://HOST:PORT"),
            ("https://127.0.0.1:7000", "expected http://HOST:PORT"),
        ] {
            let error = connector(url).expect_err("no address");
            assert_eq!(error.to_string(), format!("`{url}` is no address of a controller: {reason}"));
        }
    }

    #[tokio::test]
    async fn a_refusal_is_given_with_its_reason() {
        let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{\"error\":\"not known\"}";
        let (url, asked) = answering(answer).await;
        let error = controller(&url).fetch(None).await.expect_err("a refusal");
        assert_eq!(error.to_string(), format!("controller at {url}: 404 Not Found: not known"));
        let asked = asked.await.expect("it was asked");
        assert!(asked.starts_with(&format!("GET /v1/devices/{DEVICE}/config?wait=30 HTTP/1.1\r\n")), "{asked}");
    }

    #[tokio::test]
    async fn nothing_new_is_no_config() {
        let (url, asked) = answering("HTTP/1.1 304 Not Modified\r\n\r\n").await;
        let hash = ConfigHash::of_json(b"{}");
        assert_eq!(controller(&url).fetch(Some(hash)).await.expect("an answer"), None);
        let asked = asked.await.expect("it was asked");
        assert!(asked.contains(&format!("config?wait=30&after={hash} HTTP")), "{asked}");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_config_is_said_to_be_none() {
        let (url, _asked) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        let error = controller(&url).fetch(None).await.expect_err("no config");
        let expected = format!("controller at {url}: unreadable answer: missing field `revision` at line 1 column 2");
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn a_controller_that_is_not_there_is_unreachable() {
        let error = controller("http://127.0.0.1:1").fetch(None).await;
        let error = error.expect_err("nobody listens on port 1").to_string();
        assert!(error.starts_with("controller at http://127.0.0.1:1: ") && error.contains("refused"), "{error}");
    }
}

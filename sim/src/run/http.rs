//! A GET over a connection to one of the scenario's servers, answered in JSON.

use anyhow::Context;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes, header::HOST};
use hyper_util::rt::TokioIo;

use super::world::stream::Stream;

/// The body of the answer and its status.
///
/// # Errors
/// The connection ends before the answer does.
pub async fn get(stream: Stream, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let what = || format!("asking for {path}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.with_context(what)?;
    let request = Request::get(path).header(HOST, "dzsim").body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        hyper::Result::Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    // The connection is carried on only as long as the answer is waited for.
    tokio::select! {
        biased;
        answer = answer => answer.with_context(what),
        ended = connection => {
            ended.with_context(what)?;
            anyhow::bail!("{}: the connection ended", what())
        }
    }
}

/// The value in the answer, which must be a success.
///
/// # Errors
/// As [`get`], and if the answer is no success or not such a value.
pub async fn get_json<T: serde::de::DeserializeOwned>(stream: Stream, path: &str) -> anyhow::Result<T> {
    let (status, body) = get(stream, path).await?;
    anyhow::ensure!(status.is_success(), "{path} was answered {status}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).with_context(|| format!("reading the answer to {path}"))
}

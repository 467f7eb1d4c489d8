//! A GET over the scenario's own loopback, answered in JSON.

use std::net::SocketAddr;

use anyhow::Context;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The body of the answer and its status.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let what = || format!("asking {address} for {path}");
    let stream = TcpStream::connect(address).await.with_context(what)?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.with_context(what)?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header(HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await.with_context(what)?;
    let status = response.status();
    let body = response.into_body().collect().await.with_context(what)?.to_bytes();
    connection.abort();
    Ok((status, body))
}

/// The value in the answer, which must be a success.
pub async fn get_json<T: serde::de::DeserializeOwned>(address: SocketAddr, path: &str) -> anyhow::Result<T> {
    let (status, body) = get(address, path).await?;
    anyhow::ensure!(status.is_success(), "{address}{path} answered {status}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).with_context(|| format!("reading the answer to {path}"))
}

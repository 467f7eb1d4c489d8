//! HTTP/1.1 over any stream: a server, and single requests.

use std::{fmt, io, pin::pin, time::Duration};

use axum::Router;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client,
    server::conn::http1,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::time::sleep;

use crate::stream::{Accept, Connect, Stream};

/// The pause after a connection that could not be accepted for want of something, such as descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until accepting fails for good, and returns why. Connections live in this future and end with it.
pub async fn serve(mut listener: Box<dyn Accept>, router: Router) -> io::Error {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok(stream) => connections.push(connection(stream, router.clone()).boxed()),
                Err(error) if is_of_connection(&error) => {}
                Err(error) if is_passing(&error) => {
                    tracing::warn!(%error, %listener, "no connection can be accepted");
                    sleep(PAUSE).await;
                }
                Err(error) => return error,
            },
            Some(()) = connections.next() => {}
        }
    }
}

async fn connection(stream: Box<dyn Stream>, router: Router) {
    let service = TowerToHyperService::new(router);
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        // A client that goes away while it is answered is everyday life.
        tracing::debug!(%error, "connection ended");
    }
}

/// Whether it befell the connection only, which is gone.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Whether it may work again later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Why a request has no answer.
#[derive(Debug)]
pub enum RequestError {
    /// The connection was refused.
    Connect(io::Error),
    /// The connection broke, or what came is no HTTP.
    Broken(hyper::Error),
    /// The body of the answer broke off or is longer than accepted.
    Body(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Broken(error) => with_sources(error, f),
            Self::Body(error) => with_sources(error.as_ref(), f),
        }
    }
}

impl std::error::Error for RequestError {}

/// An error with all that caused it; hyper's own text says only what was being done.
fn with_sources(error: &dyn std::error::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut source = error.source();
    while let Some(error) = source {
        write!(f, ": {error}")?;
        source = error.source();
    }
    Ok(())
}

/// Asks once, over a connection of its own, and reads at most `limit` bytes of the answer's body.
///
/// # Errors
/// There is no whole answer. An answer that is an error of HTTP's is one.
pub async fn request(
    place: &dyn Connect,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Response<Bytes>, RequestError> {
    let stream = place.connect().await.map_err(RequestError::Connect)?;
    let (mut sender, connection) =
        client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(RequestError::Broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(RequestError::Broken)?;
        let (head, body) = response.into_parts();
        Ok(Response::from_parts(head, whole(body, limit).await?))
    };
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // What the answer lacks of a connection that has ended, it learns by itself.
        _ = &mut connection => answer.await,
    }
}

async fn whole(body: Incoming, limit: usize) -> Result<Bytes, RequestError> {
    Ok(Limited::new(body, limit).collect().await.map_err(RequestError::Body)?.to_bytes())
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::stream::memory::Place;

    fn asked(path: &str) -> Request<Full<Bytes>> {
        Request::builder().uri(path).header("host", "test").body(Full::default()).unwrap()
    }

    /// Runs a test's client beside a server of this router.
    async fn beside<T>(router: Router, client: impl AsyncFnOnce(Place) -> T) -> T {
        let place = Place::new("server");
        let server = serve(place.bind().unwrap(), router);
        tokio::select! {
            error = server => panic!("the server ended: {error}"),
            value = client(place.clone()) => value,
        }
    }

    #[tokio::test]
    async fn an_answer_comes_whole() {
        let router = Router::new().route("/", get(|| async { "hello" }));
        beside(router, async |place| {
            let answer = request(&place, asked("/"), 5).await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, b"hello".as_slice()));
            assert_eq!(request(&place, asked("/none"), 5).await.unwrap().status(), 404);
            assert_eq!(request(&place, asked("/"), 4).await.unwrap_err().to_string(), "length limit exceeded");
        })
        .await;
    }

    #[tokio::test]
    async fn one_that_waits_does_not_hold_up_another() {
        let (release, released) = tokio::sync::watch::channel(false);
        let held = move || {
            let mut released = released.clone();
            async move { released.wait_for(|released| *released).await.map(|_| "released").unwrap() }
        };
        let go = move || async move { release.send_replace(true).to_string() };
        let router = Router::new().route("/held", get(held)).route("/go", post(go));
        beside(router, async |place| {
            let go = Request::builder().method("POST").uri("/go").header("host", "test").body(Full::default()).unwrap();
            let (held, _) = tokio::join!(request(&place, asked("/held"), 100), request(&place, go, 100));
            assert_eq!(held.unwrap().body().as_ref(), b"released");
        })
        .await;
    }

    #[tokio::test]
    async fn who_is_gone_is_said_to_be() {
        let place = Place::new("server");
        let error = request(&place, asked("/"), 5).await.unwrap_err();
        assert!(matches!(&error, RequestError::Connect(error) if error.kind() == io::ErrorKind::NotFound), "{error}");
        let mut listener = place.bind().unwrap();
        let server = async {
            let mut stream = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        };
        let (answer, ()) = tokio::join!(request(&place, asked("/"), 100), server);
        assert!(matches!(answer, Err(RequestError::Body(_))), "{answer:?}");
    }
}

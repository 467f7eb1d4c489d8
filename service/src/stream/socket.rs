//! Unix and TCP sockets.

#![allow(clippy::disallowed_methods, reason = "the streams of the real world")]

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::{Accept, Connect, Stream};

/// Connects to a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixConnector(PathBuf);

impl UnixConnector {
    /// The socket of this path.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl fmt::Display for UnixConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[async_trait]
impl Connect for UnixConnector {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(UnixStream::connect(&self.0).await?))
    }
}

/// Connects to a TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConnector {
    host: String,
    port: u16,
}

impl TcpConnector {
    /// This port of a host, which is an address or a name.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for TcpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[async_trait]
impl Connect for TcpConnector {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

/// A listening socket with the place it listens at.
#[derive(Debug)]
struct Listening<L> {
    listener: L,
    place: String,
}

impl<L> fmt::Display for Listening<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

#[async_trait]
impl Accept for Listening<TcpListener> {
    async fn accept(&mut self) -> io::Result<Box<dyn Stream>> {
        let (stream, _) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

#[async_trait]
impl Accept for Listening<UnixListener> {
    async fn accept(&mut self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.listener.accept().await?.0))
    }
}

impl dyn Accept {
    /// Listens by a TCP socket.
    ///
    /// # Errors
    /// The socket has no address.
    pub fn tcp(listener: TcpListener) -> io::Result<Box<Self>> {
        let place = listener.local_addr()?.to_string();
        Ok(Box::new(Listening { listener, place }))
    }

    /// Listens by the Unix socket that is bound to this path.
    pub fn unix(listener: UnixListener, path: &Path) -> Box<Self> {
        Box::new(Listening { listener, place: path.display().to_string() })
    }
}

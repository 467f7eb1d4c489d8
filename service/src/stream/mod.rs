//! Streams between processes, whatever carries them: Unix or TCP sockets, or [`memory`].

pub mod memory;
mod socket;

use std::{
    fmt::{Debug, Display},
    io,
};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::socket::{TcpConnector, UnixConnector};

/// One end of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A place that can be connected to; its text says which.
#[async_trait]
pub trait Connect: Debug + Display + Send + Sync {
    /// Connects.
    ///
    /// # Errors
    /// The error of connect(2): there is no listener, or the caller may not connect.
    async fn connect(&self) -> io::Result<Box<dyn Stream>>;
}

/// A place that is listened at; its text says which.
#[async_trait]
pub trait Accept: Debug + Display + Send {
    /// Waits for the next connection.
    ///
    /// # Errors
    /// What accept(2) says.
    async fn accept(&mut self) -> io::Result<Box<dyn Stream>>;
}

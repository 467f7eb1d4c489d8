//! A connection between two processes, whatever carries it.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// Both directions of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// A connection.
pub type Stream = Pin<Box<dyn Duplex>>;

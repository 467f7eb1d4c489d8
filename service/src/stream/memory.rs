//! Streams inside one process.
//!
//! A [`Place`] is what a path is to a Unix socket: one listener at a time is bound to it, and a client that knows the place
//! connects to that one.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::{Accept, Connect, Stream};

/// How much either side may write before the other reads, in bytes.
const BUFFER: usize = 256 * 1024;

/// A place to listen at and to connect to; clones are the same place.
#[derive(Clone, Debug)]
pub struct Place {
    name: Arc<str>,
    bound: Arc<Mutex<Option<UnboundedSender<DuplexStream>>>>,
}

impl Place {
    /// A place of this name, without a listener.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), bound: Arc::default() }
    }

    /// Listens there until the listener is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`]: there is a listener.
    pub fn bind(&self) -> io::Result<Box<dyn Accept>> {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        if bound.as_ref().is_some_and(|bound| !bound.is_closed()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (sender, waiting) = unbounded_channel();
        *bound = Some(sender);
        Ok(Box::new(Listener { name: Arc::clone(&self.name), waiting }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[async_trait]
impl Connect for Place {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        // As a path does: nothing was ever bound to it, or nobody listens any more.
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bound = bound.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
        let (here, there) = duplex(BUFFER);
        bound.send(there).map_err(|_| io::Error::from_raw_os_error(libc::ECONNREFUSED))?;
        Ok(Box::new(here))
    }
}

#[derive(Debug)]
struct Listener {
    name: Arc<str>,
    waiting: UnboundedReceiver<DuplexStream>,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[async_trait]
impl Accept for Listener {
    async fn accept(&mut self) -> io::Result<Box<dyn Stream>> {
        match self.waiting.recv().await {
            Some(stream) => Ok(Box::new(stream)),
            // The place is forgotten; nobody can connect to it any more.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn refused(place: &Place) -> String {
        place.connect().await.err().expect("nobody listens").to_string()
    }

    #[tokio::test]
    async fn a_place_has_one_listener_at_a_time() {
        let place = Place::new("/run/test.sock");
        assert_eq!(refused(&place).await, "No such file or directory (os error 2)");
        let mut first = place.bind().unwrap();
        assert_eq!(first.to_string(), "/run/test.sock");
        assert_eq!(place.bind().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let mut client = place.connect().await.unwrap();
        let mut server = first.accept().await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        // A connection outlives the listener, and ends with its other side.
        drop(first);
        assert_eq!(refused(&place).await, "Connection refused (os error 111)");
        drop(server);
        assert_eq!(client.read(&mut heard).await.unwrap(), 0);
        let _again = place.bind().unwrap();
        place.connect().await.unwrap();
    }

    #[tokio::test]
    async fn what_was_not_accepted_breaks_with_the_listener() {
        let place = Place::new("place");
        let listener = place.bind().unwrap();
        let mut client = place.connect().await.unwrap();
        drop(listener);
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    }
}

//! One control connection, non-blocking.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::gre::control::{MAX_FRAME, Request, Response, check_peer, frame, unframe};

/// A client with what it has sent and not been answered, and what it has been answered and not read.
pub(super) struct Client {
    stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

impl Client {
    /// Takes a connection of root or of the helper's own user.
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        check_peer(&stream)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, inbox: Vec::new(), outbox: Vec::new() })
    }

    /// Reads what is there; false once the client has said all it will.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(count) => self.inbox.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // A client that sends faster than it is answered has to wait.
            if self.inbox.len() > MAX_FRAME {
                return Ok(true);
            }
        }
    }

    /// The next whole request.
    pub(super) fn next_request(&mut self) -> io::Result<Option<Request>> {
        unframe(&mut self.inbox)
    }

    /// Puts a response behind those not read yet.
    pub(super) fn queue(&mut self, response: &Response) -> io::Result<()> {
        if self.outbox.len() > MAX_FRAME {
            return Err(io::Error::other("it does not read its answers"));
        }
        self.outbox.extend(frame(response)?);
        Ok(())
    }

    /// Writes what the client takes; true when nothing is left.
    pub(super) fn write(&mut self) -> io::Result<bool> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(count) => {
                    self.outbox.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

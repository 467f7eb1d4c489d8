//! A connection's stream, with a deadline for a client that does not read.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// What a client must take of an answer within the deadline, in bytes, so that one that takes a byte now and then does
/// not keep its memory either.
const TAKEN: usize = 64 * 1024;

/// A connection's stream that can still be reached when hyper, or the WebSocket, owns it.
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    deadline: Duration,
    /// While the client is behind: when it is given up, and what it still has to take until then.
    behind: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Socket {
    /// A stream whose client may be behind for `deadline` until a write to it fails.
    pub(super) fn new(stream: Arc<TcpStream>, deadline: Duration) -> Self {
        Self { stream, deadline, behind: None }
    }

    /// The client took this number of bytes.
    fn took(&mut self, bytes: usize) {
        if let Some((_, left)) = &mut self.behind {
            match left.checked_sub(bytes) {
                None | Some(0) => self.behind = None,
                Some(still) => *left = still,
            }
        }
    }

    /// The client takes nothing now; ready when it has been given its time.
    fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let (given_up, _) = self.behind.get_or_insert_with(|| (Box::pin(sleep(self.deadline)), TAKEN));
        ready!(given_up.as_mut().poll(cx));
        let message = format!("the client took less than {TAKEN} bytes of an answer in {:?}", self.deadline);
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, message))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(buf.initialize_unfilled()) {
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return self.poll_given_up(cx).map(Err),
            }
            match self.stream.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(bytes) => {
                    self.took(bytes);
                    return Poll::Ready(Ok(bytes));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // All was taken: hyper and the WebSocket flush when they have nothing left to write.
        self.behind = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket2::SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Write))
    }
}

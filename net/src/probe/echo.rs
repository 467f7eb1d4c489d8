//! Echo requests and what answers them, as bytes; and what a round needs of the socket that carries them.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;

use super::TAG_OFFSET;
use crate::wire::icmp::{self, Message};
use crate::wire::ipv4;

/// When a request left or a reply came, on both clocks: the kernel's timestamps are wall-clock time, which can jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// By the clock that only goes forward, which is tokio's.
    pub steady: Instant,
    /// By the wall clock, where the socket knows it nearer to the wire.
    pub wall: Option<SystemTime>,
}

/// A packet about a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// An echo reply.
    Reply {
        /// Who sent it.
        from: Ipv4Addr,
        /// The sequence number of the request.
        sequence: u16,
        /// When it came.
        received: Stamp,
    },
    /// An ICMP error.
    Error {
        /// Where the request was sent.
        target: Ipv4Addr,
        /// The sequence number of the request.
        sequence: u16,
        /// Who reports it.
        from: Ipv4Addr,
        /// What is reported.
        error: icmp::Error,
    },
}

/// What a round sends by and hears from.
#[async_trait]
pub trait EchoSocket: Send + Sync {
    /// Sends one request now and returns when.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]: the socket is full. Anything else befalls this request only.
    fn send(&self, target: Ipv4Addr, sequence: u16) -> io::Result<Stamp>;

    /// The next packet about a request of ours; none if no more are waiting.
    ///
    /// # Errors
    /// The socket fails.
    fn receive(&self) -> io::Result<Option<Arrival>>;

    /// Waits until [`EchoSocket::receive`] may have something.
    async fn readable(&self) -> io::Result<()>;

    /// Waits until [`EchoSocket::send`] may take something.
    async fn writable(&self) -> io::Result<()>;

    /// The MTU of the path to a target as far as it is known, in bytes: what a refused request was too big for.
    fn path_mtu(&self, target: Ipv4Addr) -> Option<u16>;
}

/// The requests of one prober, distinguished from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoCodec {
    /// The ICMP identifier.
    pub identifier: u16,
    /// The start of each payload: the identifier alone is easily hit by another prober.
    pub cookie: [u8; 8],
    /// How many bytes are sent along; the cookie's at least.
    pub payload: u16,
    /// What stands behind the cookie, if there is room for it.
    pub tag: [u8; 8],
}

impl EchoCodec {
    /// The ICMP message of a request.
    pub fn request(&self, sequence: u16) -> Vec<u8> {
        let mut payload = vec![0; usize::from(self.payload).max(self.cookie.len())];
        payload[..self.cookie.len()].copy_from_slice(&self.cookie);
        if let Some(behind) = payload.get_mut(TAG_OFFSET..TAG_OFFSET + self.tag.len()) {
            behind.copy_from_slice(&self.tag);
        }
        icmp::echo(false, self.identifier, sequence, &payload)
    }

    /// Reads an IPv4 packet; none if it is not about a request of ours.
    pub fn read(&self, packet: &[u8], received: Stamp) -> Option<Arrival> {
        let header = ipv4::Header::decode(packet).ok()?;
        let from = header.source;
        match icmp::decode(packet.get(header.header_length..usize::from(header.total_length))?).ok()? {
            Message::Echo { reply: true, identifier, sequence, payload } => {
                let ours = identifier == self.identifier && payload.starts_with(&self.cookie);
                ours.then_some(Arrival::Reply { from, sequence, received })
            }
            Message::Error { error, header, payload } => {
                // What is quoted: type, code, checksum, identifier, sequence number.
                let quote = payload.first_chunk::<8>()?;
                let ours = header.protocol == icmp::IP_PROTOCOL
                    && quote[0] == icmp::ECHO_REQUEST
                    && quote[4..6] == self.identifier.to_be_bytes();
                let sequence = u16::from_be_bytes([quote[6], quote[7]]);
                ours.then_some(Arrival::Error { target: header.destination, sequence, from, error })
            }
            Message::Echo { .. } | Message::Other(..) => None,
        }
    }
}

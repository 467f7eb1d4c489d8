//! Notice of changes to the network configuration, whoever makes them.
//!
//! A [`Watch`] says what kind of thing changed, not what it is now: notifications can be lost when they come faster than
//! they are read, so the reader lists the state again. Its own changes are among them.

use std::collections::BTreeSet;
use std::io;

use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use tokio::io::unix::AsyncFd;

use super::NetlinkError;
use crate::netns::NetNs;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// A link came, went, or has another name, state or MTU.
    Link,
    /// An IPv4 address.
    Address,
    /// An IPv4 route.
    Route,
    /// An IPv4 policy rule.
    Rule,
}

impl Change {
    const ALL: [Self; 4] = [Self::Link, Self::Address, Self::Route, Self::Rule];

    /// The bit of its group (`RTNLGRP_*`) in the address of a netlink socket.
    fn group(self) -> u32 {
        match self {
            Self::Link => 1 << 0,
            Self::Address => 1 << 4,
            Self::Route => 1 << 6,
            Self::Rule => 1 << 7,
        }
    }

    /// What a message type (`RTM_NEW*`, `RTM_DEL*`) is about.
    fn of(kind: u16) -> Option<Self> {
        match kind {
            16 | 17 => Some(Self::Link),
            20 | 21 => Some(Self::Address),
            24 | 25 => Some(Self::Route),
            32 | 33 => Some(Self::Rule),
            _ => None,
        }
    }
}

/// The changes of one network namespace from now on.
#[derive(Debug)]
pub struct Watch {
    socket: AsyncFd<Socket>,
}

impl Watch {
    /// Watches the namespace of the calling thread. Must be called on a tokio runtime.
    pub fn open() -> Result<Self, NetlinkError> {
        Self::of(subscribed())
    }

    /// Watches `ns`. Must be called on a tokio runtime.
    pub fn open_in(ns: &NetNs) -> Result<Self, NetlinkError> {
        Self::of(ns.run(subscribed).map_err(io::Error::other).flatten())
    }

    fn of(socket: io::Result<Socket>) -> Result<Self, NetlinkError> {
        let socket = socket.map_err(NetlinkError::Open)?;
        // SAFETY: the socket owns its descriptor, always reports the same one, and moves into the registration.
        let registered = unsafe { AsyncFd::register(socket) };
        Ok(Self { socket: registered.map_err(|e| NetlinkError::Open(e.into()))? })
    }

    /// Waits for a change and returns all that have happened since the last call; after an overrun that is everything.
    pub async fn changed(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        let mut changes = BTreeSet::new();
        while changes.is_empty() {
            let mut guard = self.socket.readable().await.map_err(NetlinkError::Open)?;
            loop {
                match guard.try_io(|socket| socket.get_ref().recv_from_full()) {
                    Err(_would_block) => break,
                    Ok(Ok((bytes, _))) => changes.extend(kinds(&bytes).filter_map(Change::of)),
                    Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => changes.extend(Change::ALL),
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(source)) => return Err(NetlinkError::Refused { what: "watch changes".to_owned(), source }),
                }
            }
        }
        Ok(changes)
    }
}

fn subscribed() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.set_non_blocking(true)?;
    let groups = Change::ALL.iter().fold(0, |groups, change| groups | change.group());
    socket.bind(&SocketAddr::new(0, groups))?;
    Ok(socket)
}

/// The types of the messages in what was received.
fn kinds(mut bytes: &[u8]) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let head = bytes.first_chunk::<16>()?;
        let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
        bytes = bytes.get(length.max(16).next_multiple_of(4)..).unwrap_or_default();
        Some(u16::from_ne_bytes([head[4], head[5]]))
    })
}

//! Notifications of changes to the network configuration.
//!
//! A [`Watch`] says what kind of thing changed, not what it is now: notifications can be lost when they come faster than
//! they are read, so the reader lists the state again. Its own changes are among them, but for routes ([`Watch::apart_from`]).

mod shared;

use std::collections::BTreeSet;
use std::io;

use rtnetlink::sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use rtnetlink::sys::{Socket, SocketAddr};
use tokio::io::unix::AsyncFd;

pub use self::shared::{SharedWatch, WatchOfOne, WatchedNamespace};
use super::{Netlink, NetlinkError};
use crate::netns::NetNs;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// A link came, went, or has another name, state or MTU.
    Link,
    /// An IPv4 address.
    Address,
    /// An IPv4 route, or a multicast forwarding entry.
    Route,
    /// An IPv4 policy rule.
    Rule,
    /// Forwarding, a reverse path filter or another parameter that the kernel reports (`RTM_NEWNETCONF`).
    Parameter,
    /// The packet filter.
    Filter,
}

/// Groups (`RTNLGRP_*`) as bits of the address of a netlink socket: links, IPv4 addresses, IPv4 routes, IPv4 rules.
const HOST: u32 = 1 << 0 | 1 << 4 | 1 << 6 | 1 << 7;
/// And what a router has besides: multicast forwarding entries, and parameters.
const ROUTER: u32 = HOST | 1 << 5 | 1 << 23;
/// `NFNLGRP_NFTABLES`, of the netlink family of packet filters.
const FILTER: u32 = 1 << 6;

impl Change {
    /// What a message type (`RTM_NEW*`, `RTM_DEL*`) is about.
    fn of(kind: u16) -> Option<Self> {
        match kind {
            16 | 17 => Some(Self::Link),
            20 | 21 => Some(Self::Address),
            24 | 25 => Some(Self::Route),
            32 | 33 => Some(Self::Rule),
            80 | 81 => Some(Self::Parameter),
            _ => None,
        }
    }
}

/// The kinds that rtnetlink reports.
const ALL: [Change; 5] = [Change::Link, Change::Address, Change::Route, Change::Rule, Change::Parameter];

/// The changes of one network namespace from now on.
#[derive(Debug)]
pub struct Watch {
    routes: AsyncFd<Socket>,
    filters: Option<AsyncFd<Socket>>,
    own: Own,
}

/// The port of who asked for what is none of the watcher's business; the kernel's own is 0.
type Own = Option<u32>;

impl Watch {
    /// Watches links, addresses, routes and rules of the namespace of the calling thread. Must be called on a tokio
    /// runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened, or the kernel dropped notifications.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { routes: registered(subscribed(NETLINK_ROUTE, 0, HOST))?, filters: None, own: None })
    }

    /// Watches the same of `ns`. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened, or the kernel dropped notifications.
    pub fn open_in(ns: &NetNs) -> Result<Self, NetlinkError> {
        let socket = ns.run(|| subscribed(NETLINK_ROUTE, 0, HOST)).map_err(io::Error::other).flatten();
        Ok(Self { routes: registered(socket)?, filters: None, own: None })
    }

    /// Watches everything that a [`Change`] can be. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened, or the kernel dropped notifications.
    pub fn open_router() -> Result<Self, NetlinkError> {
        Ok(Self {
            routes: registered(subscribed(NETLINK_ROUTE, 0, ROUTER))?,
            filters: Some(registered(subscribed(NETLINK_NETFILTER, 0, FILTER))?),
            own: None,
        })
    }

    /// Watches the same of `ns`. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened, or the kernel dropped notifications.
    pub fn open_router_in(ns: &NetNs) -> Result<Self, NetlinkError> {
        let sockets = ns.run(|| (subscribed(NETLINK_ROUTE, 0, ROUTER), subscribed(NETLINK_NETFILTER, 0, FILTER)));
        let (routes, filters) = sockets.map_err(|e| NetlinkError::Open(io::Error::other(e)))?;
        Ok(Self { routes: registered(routes)?, filters: Some(registered(filters)?), own: None })
    }

    /// The same without the routes that are added and deleted through `netlink`, each of which its caller has an answer to.
    /// Where hosts have a route to each other host, nearly all changes are such, and each would be a reason to list the
    /// thousand routes again.
    #[must_use]
    pub fn apart_from(self, netlink: &Netlink) -> Self {
        Self { own: Some(netlink.port), ..self }
    }

    /// Waits for a change and returns all that have happened since the last call; after an overrun that is everything.
    ///
    /// # Errors
    /// Netlink cannot be opened, or the kernel dropped notifications.
    pub async fn changed(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        loop {
            let changes = self.since()?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            let filters = async {
                match &self.filters {
                    Some(socket) => readable(socket).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ready = readable(&self.routes) => ready?,
                ready = filters => ready?,
            }
        }
    }

    /// What has happened since the last call of either, without waiting; after an overrun that is everything.
    ///
    /// # Errors
    /// The kernel refuses to be read.
    pub fn since(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        let mut changes = received(self.routes.get_ref(), |header| header.change(self.own), &ALL)?;
        if let Some(socket) = &self.filters {
            changes.extend(received(socket.get_ref(), |_| Some(Change::Filter), &[Change::Filter])?);
        }
        Ok(changes)
    }
}

/// Waits until there may be messages to receive.
async fn readable(socket: &AsyncFd<Socket>) -> Result<(), NetlinkError> {
    let mut guard = socket.readable().await.map_err(NetlinkError::Open)?;
    // All of them are received before the next wait.
    guard.clear_ready();
    Ok(())
}

/// Receives the messages that are there and returns what they are about; `all` if some were lost.
fn received(
    socket: &Socket,
    of: impl Fn(Header) -> Option<Change>,
    all: &[Change],
) -> Result<BTreeSet<Change>, NetlinkError> {
    let mut changes = BTreeSet::new();
    loop {
        match socket.recv_from_full() {
            Ok((bytes, _)) => changes.extend(headers(&bytes).filter_map(&of)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(changes),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changes.extend(all),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(NetlinkError::Refused { what: "watch changes".to_owned(), source }),
        }
    }
}

fn registered(socket: io::Result<Socket>) -> Result<AsyncFd<Socket>, NetlinkError> {
    let socket = socket.map_err(NetlinkError::Open)?;
    // SAFETY: the socket owns its descriptor, always reports the same one, and moves into the registration.
    let registered = unsafe { AsyncFd::register(socket) };
    registered.map_err(|e| NetlinkError::Open(e.into()))
}

/// A socket of this port, or of any if that is 0, for these groups.
fn subscribed(protocol: isize, port: u32, groups: u32) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.set_non_blocking(true)?;
    socket.bind(&SocketAddr::new(port, groups))?;
    Ok(socket)
}

/// What is needed of a message's header (`struct nlmsghdr`, netlink(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    kind: u16,
    /// Of the socket by which the change was asked for.
    port: u32,
}

impl Header {
    /// What the message is about, unless it is about a route of the watcher's own.
    fn change(self, own: Own) -> Option<Change> {
        let change = Change::of(self.kind)?;
        (change != Change::Route || own != Some(self.port)).then_some(change)
    }
}

/// The headers of the messages in what was received.
fn headers(mut bytes: &[u8]) -> impl Iterator<Item = Header> {
    std::iter::from_fn(move || {
        let head = bytes.first_chunk::<16>()?;
        let [length, _, _, port] =
            [0, 4, 8, 12].map(|at| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        bytes = bytes.get((length as usize).max(16).next_multiple_of(4)..).unwrap_or_default();
        Some(Header { kind: u16::from_ne_bytes([head[4], head[5]]), port })
    })
}

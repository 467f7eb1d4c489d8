//! The changes of many network namespaces, by one socket.
//!
//! For each change the kernel goes through all netlink sockets that are subscribed to anything, whatever their namespace
//! (`netlink_broadcast_filtered`, net/netlink/af_netlink.c). Where a thousand hosts of one machine each watch themselves
//! and get a route to each other, that alone is a thousand million steps. Here one socket is subscribed for all of them: each
//! namespace is given a number (`RTM_NEWNSID`), and each message comes with that of the one it is of
//! (`NETLINK_LISTEN_ALL_NSID`, netlink(7)).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rtnetlink::sys::Socket;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::{ALL, HOST, Own, headers, readable, registered, subscribed};
use crate::kernel::{Change, Netlink, NetlinkError};
use crate::netns::NetNs;
use crate::raw_netlink::{ACK, Message, RawLink};
use crate::syscalls::receive_from_namespace;

/// One subscription to links, addresses, routes and rules of many namespaces; clones share it. Must be used on the runtime
/// that it was opened on.
#[derive(Clone, Debug)]
pub struct SharedWatch {
    shared: Arc<Shared>,
    delivery: Arc<Delivery>,
}

#[derive(Debug)]
struct Shared {
    socket: AsyncFd<Socket>,
    numbers: Mutex<Numbers>,
    watched: Mutex<Watched>,
}

/// Who watches, by the number of the namespace.
type Watched = BTreeMap<u32, Vec<Arc<Unread>>>;

/// The task that hands out messages as they arrive, from the first time on that somebody waits for one. Who only asks now
/// and then whether anything has changed is woken by none.
#[derive(Debug, Default)]
struct Delivery(OnceLock<AbortHandle>);

/// The numbers of namespaces, in the namespace of the socket; they end with the namespaces.
#[derive(Debug)]
struct Numbers {
    link: RawLink,
    /// By inode.
    known: BTreeMap<u64, u32>,
    next: u32,
}

/// What one watch has not returned yet.
#[derive(Debug)]
struct Unread {
    own: Own,
    changes: Mutex<BTreeSet<Change>>,
    arrived: Notify,
}

/// One of the namespaces.
#[derive(Clone, Debug)]
pub struct WatchedNamespace {
    watch: SharedWatch,
    number: u32,
}

/// The changes of one of the namespaces from now on.
#[derive(Debug)]
pub struct WatchOfOne {
    namespace: WatchedNamespace,
    unread: Arc<Unread>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedWatch {
    /// The port of the connection of a host that watches itself in this way (netlink(7)). A port is of a namespace, and
    /// what the kernel chooses by itself is the number of a process or above 2^31.
    pub(in crate::kernel) const OWN_PORT: u32 = 0x6464_0001;

    /// A subscription without namespaces. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened, or this may not be asked for (it needs `CAP_NET_BROADCAST`).
    pub fn open() -> Result<Self, NetlinkError> {
        Self::at(0)
    }

    /// The same, but the kernel does not report the routes that the hosts of this process ask for from a port of their own
    /// (`OWN_PORT`): these hosts do, to who else watches. Where hosts have a route to each other host, such
    /// changes would fill the socket, and be read by those who have made them.
    ///
    /// This socket has that port, too, and is left out for it (`RawLink::open_at`). That is the first thing the kernel looks
    /// at; a filter of this socket would come after the search for the number of the namespace among all that there are.
    ///
    /// # Errors
    /// As [`SharedWatch::open`].
    pub fn open_without_own() -> Result<Self, NetlinkError> {
        Self::at(Self::OWN_PORT)
    }

    /// A subscription from this port; 0 is any.
    fn at(port: u32) -> Result<Self, NetlinkError> {
        // A namespace of its own: others may have numbers in that of the caller, and what happens there is no news here.
        let home = NetNs::new().map_err(|e| NetlinkError::Open(io::Error::other(e)))?;
        let open = || {
            let socket = subscribed(NETLINK_ROUTE, port, HOST)?;
            socket.set_listen_all_namespaces(true)?;
            Ok(socket)
        };
        let socket = registered(home.run(open).map_err(io::Error::other).flatten())?;
        let link = RawLink::open_in(&home, NETLINK_ROUTE).map_err(NetlinkError::Open)?;
        let numbers = Mutex::new(Numbers { link, known: BTreeMap::new(), next: 0 });
        let shared = Arc::new(Shared { socket, numbers, watched: Mutex::default() });
        Ok(Self { shared, delivery: Arc::default() })
    }

    /// One more namespace to watch, or one that is watched already.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn namespace(&self, ns: &NetNs) -> Result<WatchedNamespace, NetlinkError> {
        let number = locked(&self.shared.numbers).of(ns)?;
        Ok(WatchedNamespace { watch: self.clone(), number })
    }
}

impl WatchedNamespace {
    /// Watches it.
    ///
    /// # Errors
    /// The kernel refuses to be read.
    pub fn watch(&self) -> Result<WatchOfOne, NetlinkError> {
        self.apart(None)
    }

    /// The same without the routes that are added and deleted through `netlink`.
    ///
    /// # Errors
    /// As [`WatchedNamespace::watch`].
    pub fn apart_from(&self, netlink: &Netlink) -> Result<WatchOfOne, NetlinkError> {
        self.apart(Some(netlink.port))
    }

    fn apart(&self, own: Own) -> Result<WatchOfOne, NetlinkError> {
        let unread = Arc::new(Unread { own, changes: Mutex::default(), arrived: Notify::new() });
        // What has happened before is none of its business.
        self.watch.shared.delivered()?.entry(self.number).or_default().push(Arc::clone(&unread));
        Ok(WatchOfOne { namespace: self.clone(), unread })
    }

    /// Reports routes that were changed through `netlink` to its watchers, as the kernel does not report them to the socket
    /// ([`SharedWatch::open_without_own`]).
    pub(crate) fn report_routes(&self, netlink: &Netlink) {
        let watched = locked(&self.watch.shared.watched);
        for unread in watched.get(&self.number).into_iter().flatten().filter(|unread| unread.own != Some(netlink.port))
        {
            unread.take_in([Change::Route]);
        }
    }
}

impl WatchOfOne {
    /// As [`super::Watch::changed`].
    ///
    /// # Errors
    /// The kernel refuses to be read.
    pub async fn changed(&self) -> Result<BTreeSet<Change>, NetlinkError> {
        self.namespace.watch.delivery.start(&self.namespace.watch.shared);
        loop {
            let changes = self.since()?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            self.unread.arrived.notified().await;
        }
    }

    /// As [`super::Watch::since`].
    ///
    /// # Errors
    /// The kernel refuses to be read.
    pub fn since(&self) -> Result<BTreeSet<Change>, NetlinkError> {
        let _delivered = self.namespace.watch.shared.delivered()?;
        Ok(std::mem::take(&mut *locked(&self.unread.changes)))
    }
}

impl Drop for WatchOfOne {
    fn drop(&mut self) {
        let WatchedNamespace { watch, number } = &self.namespace;
        let mut watched = locked(&watch.shared.watched);
        if let Some(members) = watched.get_mut(number) {
            members.retain(|unread| !Arc::ptr_eq(unread, &self.unread));
            if members.is_empty() {
                watched.remove(number);
            }
        }
    }
}

impl Unread {
    fn take_in(&self, changes: impl IntoIterator<Item = Change>) {
        let mut unread = locked(&self.changes);
        unread.extend(changes);
        if !unread.is_empty() {
            self.arrived.notify_one();
        }
    }
}

impl Delivery {
    #[allow(clippy::disallowed_methods, reason = "the kernel of the real world")]
    fn start(&self, shared: &Arc<Shared>) {
        self.0.get_or_init(|| {
            let shared = Arc::clone(shared);
            tokio::spawn(async move { shared.deliver().await }).abort_handle()
        });
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

impl Numbers {
    /// The number of a namespace, which gets one if it has none.
    fn of(&mut self, ns: &NetNs) -> Result<u32, NetlinkError> {
        const NETNSA_NSID: u16 = 1;
        const NETNSA_FD: u16 = 3;
        let inode = ns.id().map_err(|e| NetlinkError::Open(io::Error::other(e)))?;
        let request = Message::new(libc::RTM_NEWNSID, ACK, &[0; 4])
            .attribute(NETNSA_FD, &ns.as_fd().as_raw_fd().to_ne_bytes())
            .attribute(NETNSA_NSID, &self.next.to_ne_bytes());
        match self.link.execute(vec![request]) {
            Ok(()) => {
                // An inode can have been that of another one, which has ended.
                self.known.insert(inode, self.next);
                self.next += 1;
                Ok(self.next - 1)
            }
            Err(source) => match self.known.get(&inode) {
                Some(number) if source.kind() == io::ErrorKind::AlreadyExists => Ok(*number),
                _ => Err(NetlinkError::Refused { what: "number a network namespace".to_owned(), source }),
            },
        }
    }
}

impl Shared {
    /// Hands out all messages that are there. Nobody sees what a watch has before all are.
    fn delivered(&self) -> Result<MutexGuard<'_, Watched>, NetlinkError> {
        const LONGEST_MESSAGE: usize = 8192;
        let watched = locked(&self.watched);
        let mut bytes = [0; LONGEST_MESSAGE];
        loop {
            match receive_from_namespace(self.socket.get_ref(), &mut bytes) {
                Ok((length, Some(number))) => {
                    // Who was watched until a moment ago is watched by nobody now.
                    for unread in watched.get(&number).into_iter().flatten() {
                        unread.take_in(headers(&bytes[..length]).filter_map(|header| header.change(unread.own)));
                    }
                }
                // Of the socket's own namespace, which nobody watches.
                Ok((_, None)) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(watched),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    watched.values().flatten().for_each(|unread| unread.take_in(ALL));
                }
                Err(source) => return Err(NetlinkError::Refused { what: "watch changes".to_owned(), source }),
            }
        }
    }

    /// Hands out messages as they arrive until the kernel refuses, which everybody then hears when they ask.
    async fn deliver(&self) {
        while readable(&self.socket).await.is_ok() && self.delivered().is_ok() {}
        locked(&self.watched).values().flatten().for_each(|unread| unread.arrived.notify_one());
    }
}

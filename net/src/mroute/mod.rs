//! Multicast forwarding by the kernel (`linux/mroute.h`).
//!
//! A [`MulticastRouter`] says which (source, group) pairs come in by which interface and leave by which others; the
//! kernel replicates. Its entries are static: they are written by a socket that is not the multicast routing daemon's,
//! so the kernel keeps them when the writer dies, and a restarted agent reads them back. What has no entry is not
//! forwarded; [`Upcalls`] reports it.
//!
//! The kernel forwards only while some process holds the daemon's socket (`MRT_INIT`), whatever the entries. A router
//! takes it when it is opened or started, if it is free. So that forwarding goes on without the agent, as tunnels
//! do, the helper of [`crate::gre`] can hold it instead: [`crate::gre::userspace::Userspace::hold_multicast`].
//!
//! Taking the daemon's socket and closing it change a parameter that [`crate::kernel::Watch`] reports. Reading and
//! writing entries through an open router do not.
//!
//! The kernel numbers the interfaces that take part ("vifs") from 0 to 31 in a table, which is a limit on the device:
//! [`MAX_INTERFACES`]. Numbers are given and taken here, callers speak of interface indices only.

mod abi;
mod plan;
mod upcall;

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

pub use self::abi::{Entry, State};
use self::abi::{MRT_ADD_MFC, MRT_ADD_VIF, MRT_DEL_MFC, MRT_DEL_VIF, MRT_INIT, mfcctl, vifctl};
pub use self::plan::{Step, plan};
pub use self::upcall::{Upcall, UpcallKind, Upcalls};
use crate::netns::{NetNs, NetNsError};
use crate::raw_netlink::RawLink;
use crate::syscalls::{set_option, set_option_bytes};

/// How many interfaces can take part in multicast forwarding in one namespace (`MAXVIFS`).
pub const MAX_INTERFACES: usize = 32;

/// A forwarding entry: packets of one source to one group. Two entries are the same to the kernel when source and group
/// agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MulticastRoute {
    /// Who sends.
    pub source: Ipv4Addr,
    /// To whom.
    pub group: Ipv4Addr,
    /// Index of the only link its packets are taken from; of any other they are dropped and counted as wrong.
    pub incoming: u32,
    /// Indices of the links they leave by. Never the one they came in by.
    pub outgoing: BTreeSet<u32>,
}

/// What an entry did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteCounters {
    /// Packets taken.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that came in by another link, and were dropped.
    pub wrong_interface: u64,
}

/// What [`MulticastRouter::apply`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entries that are new or other than before.
    pub set: usize,
    /// Entries that are gone.
    pub removed: usize,
    /// Interfaces that began or ceased to take part.
    pub interfaces: usize,
}

impl Changes {
    /// Whether nothing had to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What steps amount to.
    pub fn of(steps: &[Step]) -> Self {
        let count = |of: fn(&Step) -> bool| steps.iter().filter(|step| of(step)).count();
        Self {
            set: count(|step| matches!(step, Step::Set { new: true, .. })),
            removed: count(|step| matches!(step, Step::Delete { .. })),
            interfaces: count(|step| matches!(step, Step::AddVif { .. } | Step::DeleteVif { .. })),
        }
    }
}

/// Why forwarding could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum MulticastError {
    /// The kernel has no multicast routing.
    #[error("multicast routing: not supported by this kernel (needs CONFIG_IP_MROUTE)")]
    Unsupported,
    /// The caller lacks the capability.
    #[error("multicast routing: not permitted (needs CAP_NET_RAW and CAP_NET_ADMIN in the network namespace)")]
    Denied,
    /// More interfaces than the kernel has numbers for.
    #[error("multicast routing: {0} interfaces take part, the kernel takes at most {MAX_INTERFACES}")]
    TooMany(usize),
    /// An entry sends packets back where they came from.
    #[error("multicast routing: ({source_address}, {group}) leaves by link {link}, by which it comes in")]
    Loop {
        /// The entry's source.
        source_address: Ipv4Addr,
        /// The entry's group.
        group: Ipv4Addr,
        /// The link's index.
        link: u32,
    },
    /// Another socket is the namespace's multicast routing daemon.
    #[error("multicast routing: another socket receives the upcalls")]
    Taken,
    /// The kernel refused.
    #[error("multicast routing: {what}: {source}")]
    Refused {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl MulticastError {
    /// What a refusal of the kernel says.
    pub fn new(what: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.raw_os_error() {
            Some(libc::ENOPROTOOPT | libc::EPROTONOSUPPORT | libc::EOPNOTSUPP) => Self::Unsupported,
            Some(libc::EPERM | libc::EACCES) => Self::Denied,
            _ => Self::Refused { what: what(), source },
        }
    }

    /// The namespace cannot be entered.
    pub(crate) fn namespace(error: NetNsError) -> Self {
        Self::Refused { what: "enter the namespace".to_owned(), source: io::Error::other(error) }
    }
}

/// Multicast forwarding of one network namespace.
#[derive(Debug)]
pub struct MulticastRouter {
    socket: Socket,
    /// The daemon's socket, if it was free.
    daemon: Option<Socket>,
    link: RawLink,
}

impl MulticastRouter {
    /// Opens the forwarding of the calling thread's namespace, and starts it if it is not running.
    ///
    /// # Errors
    ///
    /// When the kernel has no multicast routing, or the caller may not use it.
    pub fn open() -> Result<Self, MulticastError> {
        let mut router = Self::attach()?;
        router.start()?;
        Ok(router)
    }

    /// Opens the forwarding of the calling thread's namespace and leaves it as it is: started or not.
    ///
    /// # Errors
    ///
    /// When a raw socket or a netlink socket cannot be opened.
    pub fn attach() -> Result<Self, MulticastError> {
        let socket = raw_socket().map_err(MulticastError::new(|| "open a raw igmp socket".to_owned()))?;
        let link = RawLink::open(rtnetlink::sys::protocols::NETLINK_ROUTE)
            .map_err(MulticastError::new(|| "open a netlink socket".to_owned()))?;
        Ok(Self { socket, daemon: None, link })
    }

    /// Starts the forwarding of the calling thread's namespace unless it is running; it then lasts as long as this
    /// router, or until [`MulticastRouter::stop`].
    ///
    /// # Errors
    ///
    /// When the kernel has no multicast routing, or the caller may not use it.
    pub fn start(&mut self) -> Result<(), MulticastError> {
        if self.daemon.is_none() {
            self.daemon = match daemon_socket() {
                Ok(daemon) => Some(daemon),
                Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => None,
                Err(error) => return Err(MulticastError::new(|| "start forwarding".to_owned())(error)),
            };
        }
        Ok(())
    }

    /// Whether forwarding lasts as long as this router, and not as long as another process.
    pub fn holds(&self) -> bool {
        self.daemon.is_some()
    }

    /// Lets go of the daemon's socket. If this router held it, forwarding stops until another process starts it.
    pub fn stop(&mut self) {
        self.daemon = None;
    }

    /// Turns the daemon's socket into a source of reports; forwarding then lasts as long as they do. Must be called on
    /// a tokio runtime.
    ///
    /// # Errors
    /// [`MulticastError`]: the kernel refuses, or another process holds the socket.
    pub fn upcalls(&mut self) -> Result<Upcalls, MulticastError> {
        Upcalls::new(self.daemon.take().ok_or(MulticastError::Taken)?)
    }

    /// Opens the forwarding of `ns`.
    ///
    /// # Errors
    /// [`MulticastError`]: the kernel refuses, or another process holds the socket.
    pub fn open_in(ns: &NetNs) -> Result<Self, MulticastError> {
        ns.run(Self::open).map_err(MulticastError::namespace)?
    }

    /// Makes `routes` the whole state: what is already as wanted is not touched and keeps its counters. Of two routes for one
    /// source and group the later counts.
    ///
    /// # Errors
    /// [`MulticastError`]: the kernel refuses, or another process holds the socket.
    pub fn apply(&mut self, routes: impl IntoIterator<Item = MulticastRoute>) -> Result<Changes, MulticastError> {
        let steps = plan(&self.state()?, routes)?;
        let changes = Changes::of(&steps);
        for step in steps {
            tracing::trace!(?step, "change multicast forwarding");
            match &step {
                Step::AddVif { number, index } => self.set(MRT_ADD_VIF, &vifctl(*number, *index), &step)?,
                Step::DeleteVif { number } => self.set(MRT_DEL_VIF, &vifctl(*number, 0), &step)?,
                Step::Set { source, group, incoming, outgoing, .. } => {
                    self.set(MRT_ADD_MFC, &mfcctl(*source, *group, *incoming, outgoing), &step)?;
                }
                Step::Delete { source, group } => {
                    self.set(MRT_DEL_MFC, &mfcctl(*source, *group, 0, &BTreeSet::new()), &step)?;
                }
            }
        }
        Ok(changes)
    }

    /// All entries with what they did, sorted; entries whose incoming interface is gone forward nothing and are left
    /// out.
    ///
    /// # Errors
    /// [`MulticastError`]: the kernel refuses, or another process holds the socket.
    pub fn routes(&mut self) -> Result<Vec<(MulticastRoute, RouteCounters)>, MulticastError> {
        let entries = self.state()?.entries.into_iter();
        let routes = entries.filter_map(|((group, source), entry)| {
            let route = MulticastRoute { source, group, incoming: entry.incoming?, outgoing: entry.outgoing };
            Some((route, entry.counters))
        });
        let mut routes: Vec<_> = routes.collect();
        routes.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(routes)
    }

    fn set(&self, option: libc::c_int, value: &[u8], step: &Step) -> Result<(), MulticastError> {
        set_option_bytes(&self.socket, libc::IPPROTO_IP, option, value)
            .map_err(MulticastError::new(|| format!("{step}")))
    }

    fn state(&mut self) -> Result<State, MulticastError> {
        State::read(&mut self.link).map_err(MulticastError::new(|| "list its state".to_owned()))
    }
}

/// The socket of the namespace's multicast routing daemon: while it is open, the kernel forwards.
pub(crate) fn daemon_socket() -> io::Result<Socket> {
    let socket = raw_socket()?;
    set_option(&socket, libc::IPPROTO_IP, MRT_INIT, 1)?;
    Ok(socket)
}

fn raw_socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_IGMP)))
}

//! The kernel's network configuration over rtnetlink.
//!
//! [`Netlink`] is a cheap handle with one method per verb. Its methods say what they did: adding something that is
//! there already is [`Added::Existed`] and deleting something that is not is [`Deleted::Absent`], so that a caller that
//! repeats itself sees which, and everything else the kernel refuses is an error that names the thing it was about. What
//! is read back ([`LinkInfo`], [`AddrInfo`], [`RouteInfo`], [`RuleInfo`]) is also what is written, so that a desired and
//! an actual state are compared as sets.

mod addr;
mod dump;
mod error;
mod link;
mod route;
mod rule;
pub mod sysctl;
mod watch;

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::{Arc, Mutex};

use rtnetlink::Handle;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::proto::Connection;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, TokioSocket};

pub use self::addr::{AddrInfo, Scope};
pub use self::error::{Added, Deleted, NetlinkError};
pub use self::link::{GreInfo, LinkCounters, LinkInfo, LinkKind, LinkSpec};
pub use self::route::{RouteChange, RouteInfo, RouteKind};
pub use self::rule::{FwMark, RuleAction, RuleInfo};
pub use self::watch::{Change, SharedWatch, Watch, WatchOfOne, WatchedNamespace};
use crate::netns::NetNs;
use crate::raw_netlink::RawLink;

/// Who made an address, a route or a rule (`rtm_protocol`): everything the products create carries this number, and
/// they change or remove nothing that does not. It is in the range rtnetlink(7) leaves to users, and neither iproute2's
/// rt_protos nor the common routing suites use it.
pub const RTPROT_DZ: u8 = 210;

/// `rtm_protocol` of what an administrator configures by hand.
pub const RTPROT_STATIC: u8 = 4;

/// The main routing table.
pub const TABLE_MAIN: u32 = 254;

/// A connection to the kernel of one network namespace; clones share it.
#[derive(Clone, Debug)]
pub struct Netlink {
    handle: Handle,
    /// What routes are changed by, many with one request and one answer: a host can have thousands.
    routes: Arc<Mutex<RawLink>>,
    /// The port of that socket (netlink(7)), which is in each notification of a change that was asked for by it.
    port: u32,
}

impl Netlink {
    /// Connects to the namespace of the calling thread. Must be called on a tokio runtime, which drives the connection
    /// until the last clone is gone.
    ///
    /// # Errors
    /// Netlink cannot be opened.
    pub fn open() -> Result<Self, NetlinkError> {
        Self::of(Sockets::open(RawLink::open))
    }

    /// Connects to `ns` from wherever the caller is. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened.
    pub fn open_in(ns: &NetNs) -> Result<Self, NetlinkError> {
        // A socket belongs to the namespace it is made in, whoever uses it later.
        Self::of(ns.run(|| Sockets::open(RawLink::open)).map_err(io::Error::other).flatten())
    }

    /// The same with routes changed from the port that [`SharedWatch::open_without_own`] leaves out, or from another where
    /// that is taken.
    pub(crate) fn open_own_in(ns: &NetNs) -> Result<Self, NetlinkError> {
        let routes = |protocol| RawLink::open_at(protocol, SharedWatch::OWN_PORT);
        Self::of(ns.run(|| Sockets::open(routes)).map_err(io::Error::other).flatten())
    }

    #[allow(clippy::disallowed_methods, reason = "the connection to the kernel of the real world")]
    fn of(sockets: io::Result<Sockets>) -> Result<Self, NetlinkError> {
        let Sockets { mut all, routes } = sockets.map_err(NetlinkError::Open)?;
        all.bind_auto().map_err(NetlinkError::Open)?;
        // The conversion below panics where there is no runtime to register with.
        tokio::runtime::Handle::try_current().map_err(|e| NetlinkError::Open(io::Error::other(e)))?;
        // SAFETY: the descriptor is handed over, not shared.
        let socket = unsafe { TokioSocket::from_raw_fd(all.into_raw_fd()) };
        let (mut connection, handle, _): (Connection<RouteNetlinkMessage, TokioSocket>, _, _) =
            rtnetlink::from_socket(socket);
        // The end of a list is what tells a whole one from one that broke off.
        connection.set_forward_done(true);
        tokio::spawn(connection);
        let port = routes.port().map_err(NetlinkError::Open)?;
        Ok(Self { handle, routes: Arc::new(Mutex::new(routes)), port })
    }
}

/// The sockets of a connection.
struct Sockets {
    all: Socket,
    routes: RawLink,
}

impl Sockets {
    /// Makes both in the namespace of the calling thread.
    fn open(routes: impl FnOnce(isize) -> io::Result<RawLink>) -> io::Result<Self> {
        Ok(Self { all: Socket::new(NETLINK_ROUTE)?, routes: routes(NETLINK_ROUTE)? })
    }
}

fn protocol(number: u8) -> RouteProtocol {
    RouteProtocol::from(number)
}

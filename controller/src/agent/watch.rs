//! Notices that something in the kernel's network configuration changed, whoever changed it.
//!
//! The kernel's messages are not read for what they say: a change is the reason to look, and what is there is then
//! read as a whole. So a message lost under load (`ENOBUFS`, netlink(7)) loses nothing.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket},
};
use tokio::io::unix::AsyncFd;

/// `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_MROUTE | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE` of rtnetlink(7), and
/// `RTNLGRP_IPV4_NETCONF`, which tells of forwarding and of reverse path filters.
const ROUTE_GROUPS: u32 = 0x1 | 0x10 | 0x20 | 0x40 | 0x80 | 1 << 23;
/// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h, as a mask.
const FILTER_GROUPS: u32 = 1 << 6;

/// A subscription to changes of the namespace it was opened in.
pub(super) struct Watch {
    routes: Subscription,
    filters: Subscription,
}

impl Watch {
    /// Subscribes; changes from now on are noticed.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            routes: Subscription::open(SockProtocol::NetlinkRoute, ROUTE_GROUPS)?,
            filters: Subscription::open(SockProtocol::NetlinkNetFilter, FILTER_GROUPS)?,
        })
    }

    /// Waits for a change, and takes in all that have come by then.
    pub(super) async fn changed(&self) -> io::Result<()> {
        tokio::select! {
            changed = self.routes.changed() => changed,
            changed = self.filters.changed() => changed,
        }
    }
}

struct Subscription {
    socket: AsyncFd<OwnedFd>,
}

impl Subscription {
    fn open(protocol: SockProtocol, groups: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        // SAFETY: the registration owns the descriptor, so it is neither closed nor replaced while it is registered.
        Ok(Self { socket: unsafe { AsyncFd::register(socket) }? })
    }

    async fn changed(&self) -> io::Result<()> {
        let mut guard = self.socket.readable().await?;
        let mut message = [0u8; 8192];
        loop {
            match recv(self.socket.get_ref().as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    guard.clear_ready();
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

//! Notices that something in the host's network configuration changed, whoever changed it.
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

/// `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE` of rtnetlink(7).
const GROUPS: u32 = 0x1 | 0x10 | 0x40;

/// A subscription to changes of the namespace it was opened in.
#[derive(Debug)]
pub(super) struct HostWatch(AsyncFd<OwnedFd>);

impl HostWatch {
    /// Subscribes; changes from now on are noticed.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        // SAFETY: the registration owns the descriptor, so it is neither closed nor replaced while it is registered.
        Ok(Self(unsafe { AsyncFd::register(socket) }?))
    }

    /// Waits for a change, and takes in all that have come by then.
    pub(super) async fn changed(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut message = [0; 8192];
        loop {
            match recv(self.0.get_ref().as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    ready.clear_ready();
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

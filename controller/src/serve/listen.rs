//! Sockets to serve on: own ones, and those a service manager hands over (`LISTEN_FDS`, sd_listen_fds(3)).

use std::{
    env, io,
    net::{SocketAddr, TcpListener},
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

/// The first descriptor handed over.
const FIRST: RawFd = 3;

/// Why there is no socket to serve on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// An address to listen on cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// `LISTEN_FDS` is no number.
    #[error("LISTEN_FDS: expected a number of sockets, got `{0}`")]
    Count(String),
    /// A descriptor that was handed over is no listening TCP socket.
    #[error("LISTEN_FDS: expected descriptor {fd} to be a TCP listener: {source}")]
    Descriptor {
        /// Its number.
        fd: RawFd,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// The sockets of these addresses and all that were handed over to this process, ready for the runtime.
pub(super) fn listeners(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    let bind = |address: &SocketAddr| {
        let listener = TcpListener::bind(address).and_then(nonblocking);
        listener.map_err(|source| ListenError::Bind { address: *address, source })
    };
    let own = addresses.iter().map(bind);
    own.chain((FIRST..).take(handed_over()?).map(inherit)).collect()
}

fn nonblocking(listener: TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// How many sockets are handed over; those of another process's environment are not for this one.
fn handed_over() -> Result<usize, ListenError> {
    let for_us = env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
    match env::var("LISTEN_FDS") {
        Ok(count) if for_us => count.parse().map_err(|_| ListenError::Count(count)),
        _ => Ok(0),
    }
}

fn inherit(fd: RawFd) -> Result<TcpListener, ListenError> {
    let refuse = |source| ListenError::Descriptor { fd, source };
    nix::sys::stat::fstat(borrow(fd)).map_err(|errno| refuse(errno.into()))?;
    // SAFETY: the descriptor is open, the protocol gives it to this process, and each is taken once at start.
    let listener = TcpListener::from(unsafe { OwnedFd::from_raw_fd(fd) });
    listener.local_addr().map_err(refuse)?;
    nonblocking(listener).map_err(refuse)
}

fn borrow<'a>(fd: RawFd) -> std::os::fd::BorrowedFd<'a> {
    // SAFETY: used for one call that only asks whether the descriptor is open.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) }
}

//! Telling the service manager that the process is ready: sd_notify(3).

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, os::unix::net::UnixDatagram};

use nix::sys::socket::{MsgFlags, UnixAddr, sendto};
use std::os::fd::AsRawFd;

/// Sends `READY=1` to the socket that `NOTIFY_SOCKET` names, if it names one.
pub(crate) fn ready() {
    if let Some(path) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(&path, b"READY=1\n")
    {
        tracing::warn!(%error, socket = %path.to_string_lossy(), "cannot tell the service manager");
    }
}

fn send(path: &OsStr, state: &[u8]) -> io::Result<()> {
    // A leading `@` stands for the zero byte of an abstract address.
    let address = match path.as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name)?,
        path => UnixAddr::new(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    sendto(socket.as_raw_fd(), state, &address, MsgFlags::empty())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    use super::*;

    #[test]
    fn an_abstract_socket_gets_the_state() {
        let name = format!("dz-client-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a valid name");
        let socket = UnixDatagram::bind_addr(&address).expect("the name is free");
        send(OsStr::new(&format!("@{name}")), b"READY=1\n").expect("the socket is there");
        let mut text = [0; 64];
        let length = socket.recv(&mut text).expect("a datagram waits");
        assert_eq!(&text[..length], b"READY=1\n");
    }
}

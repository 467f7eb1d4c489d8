//! Readiness notification to the service manager, as sd_notify(3) describes.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// Sends `READY=1` to the socket that `NOTIFY_SOCKET` names; does nothing when there is none. A manager that cannot be
/// notified is no reason to end: it is logged.
pub fn ready() {
    if let Some(socket) = env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(&socket, b"READY=1\n")
    {
        tracing::warn!(%error, socket = %socket.to_string_lossy(), "cannot tell the service manager");
    }
}

/// A name that starts with `@` is in the abstract namespace.
fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_manager_behind_a_path_hears_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), b"READY=1\n").unwrap();
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1\n");
    }

    #[test]
    fn a_manager_behind_an_abstract_name_hears_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().as_os_str().as_bytes();
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
        let mut socket = OsString::from("@");
        socket.push(folder.path());
        send(&socket, b"READY=1\n").unwrap();
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1\n");
    }

    #[test]
    fn nobody_listening_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = send(folder.path().join("absent").as_os_str(), b"READY=1\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

//! The reading end of `NOTIFY_SOCKET`, sd_notify(3): a datagram of lines `KEY=VALUE`, of which `READY=1` matters.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;

/// A socket on which a starting process reports its readiness. Its file goes when the value goes.
#[derive(Debug)]
pub(super) struct Notify {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notify {
    /// Binds the socket at `path`, in place of one that a process which was killed may have left.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { socket: UnixDatagram::bind(path)?, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for `READY=1`.
    pub(super) async fn ready(&self) -> io::Result<()> {
        let mut datagram = [0; 4096];
        loop {
            let n = self.socket.recv(&mut datagram).await?;
            if says_ready(&datagram[..n]) {
                return Ok(());
            }
        }
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn says_ready(datagram: &[u8]) -> bool {
    datagram.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_line_says_ready() {
        assert!(says_ready(b"READY=1"));
        assert!(says_ready(b"STATUS=listening\nREADY=1\n"));
        for other in [&b""[..], b"READY=10", b"READY=0", b"XREADY=1", b"STATUS=READY=1"] {
            assert!(!says_ready(other), "{other:?}");
        }
    }

    #[tokio::test]
    async fn replaces_a_socket_left_behind_and_removes_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.notify");
        drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
        let notify = Notify::bind(&path).unwrap();
        let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
        sender.send_to(b"STATUS=starting", &path).unwrap();
        sender.send_to(b"READY=1\n", &path).unwrap();
        notify.ready().await.unwrap();
        drop(notify);
        assert!(!path.exists());
    }
}

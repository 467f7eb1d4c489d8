//! Messages between outer and init while the lab starts and ends, over a socket pair.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use serde::{Deserialize, Serialize};

use super::Step;

/// A message between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message {
    /// Outer: the id maps are written. Carries init's pid as outer sees it.
    Mapped(i32),
    /// Init: the scenario process runs.
    Started,
    /// Init: a step failed with this errno.
    Refused(Step, i32),
    /// Init: the scenario process ended with this exit code.
    Code(i32),
    /// Init: the scenario process was killed by this signal.
    Signal(i32),
}

/// One end of the channel.
#[derive(Debug)]
pub(super) struct End(OwnedFd);

/// Makes a channel. Its ends are not inherited over `exec`.
pub(super) fn pair() -> nix::Result<(End, End)> {
    let (a, b) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    Ok((End(a), End(b)))
}

impl End {
    pub(super) fn send(&self, message: Message) -> nix::Result<()> {
        let bytes = serde_json::to_vec(&message).map_err(|_| Errno::EINVAL)?;
        send(self.0.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL).map(drop)
    }

    /// The next message, or `None` when the other end is gone.
    pub(super) fn receive(&self) -> nix::Result<Option<Message>> {
        let mut bytes = [0; 256];
        let n = loop {
            match recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                Err(Errno::ECONNRESET) => return Ok(None),
                other => break other?,
            }
        };
        match n {
            0 => Ok(None),
            n => serde_json::from_slice(&bytes[..n]).map(Some).map_err(|_| Errno::EBADMSG),
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_every_message_and_the_end() {
        let (a, b) = pair().unwrap();
        let all = [
            Message::Mapped(7),
            Message::Started,
            Message::Refused(Step::MountProc, libc::EPERM),
            Message::Code(3),
            Message::Signal(9),
        ];
        for message in all {
            a.send(message).unwrap();
            assert_eq!(b.receive(), Ok(Some(message)));
        }
        drop(a);
        assert_eq!(b.receive(), Ok(None));
        assert_eq!(b.send(Message::Started), Err(Errno::EPIPE));
    }
}

//! Upcalls of the kernel's multicast forwarding: packets it has no entry for, or that came in the wrong way.

use std::io::{self, Read};
use std::net::Ipv4Addr;

use socket2::Socket;
use tokio::io::unix::AsyncFd;

use super::MulticastError;
use super::abi::MRT_ASSERT;
use crate::syscalls::{self, set_option};

/// Why the kernel reports a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpcallKind {
    /// No entry for its source and group.
    NoEntry,
    /// It came in by another interface than its entry says.
    WrongInterface,
}

/// One report. The kernel limits how often it repeats one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upcall {
    /// Why.
    pub kind: UpcallKind,
    /// Who sent the packet.
    pub source: Ipv4Addr,
    /// To which group.
    pub group: Ipv4Addr,
    /// The kernel's number ("vif") of the interface it came in by.
    pub number: u16,
}

/// The reports of one namespace, from [`super::MulticastRouter::upcalls`].
#[derive(Debug)]
pub struct Upcalls {
    socket: AsyncFd<Socket>,
}

impl Upcalls {
    pub(super) fn new(daemon: Socket) -> Result<Self, MulticastError> {
        let failed = || MulticastError::new(|| "receive upcalls".to_owned());
        set_option(&daemon, libc::IPPROTO_IP, MRT_ASSERT, 1).map_err(failed())?;
        Ok(Self { socket: syscalls::asynchronous(daemon).map_err(failed())? })
    }

    /// Waits for the next report.
    ///
    /// # Errors
    /// The socket fails.
    pub async fn next(&self) -> Result<Upcall, MulticastError> {
        let failed = || MulticastError::new(|| "receive an upcall".to_owned());
        loop {
            let mut guard = self.socket.readable().await.map_err(failed())?;
            let mut buffer = [0; 2048];
            let Ok(length) = guard.try_io(|socket| read_from(socket.get_ref(), &mut buffer)) else { continue };
            if let Some(upcall) = read(&buffer[..length.map_err(failed())?]) {
                return Ok(upcall);
            }
        }
    }
}

fn read_from(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

/// Reads a `struct igmpmsg`, which the kernel lays over the IP header of the packet; its protocol field is 0, and in a
/// real IGMP message, which the socket receives as well, is not.
fn read(bytes: &[u8]) -> Option<Upcall> {
    let message = bytes.first_chunk::<20>()?;
    let kind = match (message[9], message[8]) {
        (0, 1) => UpcallKind::NoEntry,
        (0, 2) => UpcallKind::WrongInterface,
        _ => return None,
    };
    let address = |at: usize| Ipv4Addr::new(message[at], message[at + 1], message[at + 2], message[at + 3]);
    let number = u16::from_le_bytes([message[10], message[11]]);
    Some(Upcall { kind, source: address(12), group: address(16), number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_from_an_igmp_message() {
        let mut message = [0; 28];
        message[8..20].copy_from_slice(&[1, 0, 3, 0, 148, 51, 120, 1, 233, 84, 178, 1]);
        let upcall = Upcall {
            kind: UpcallKind::NoEntry,
            source: [148, 51, 120, 1].into(),
            group: [233, 84, 178, 1].into(),
            number: 3,
        };
        assert_eq!(read(&message), Some(upcall));
        message[8] = 2;
        assert_eq!(read(&message), Some(Upcall { kind: UpcallKind::WrongInterface, ..upcall }));
        message[9] = 2;
        assert_eq!(read(&message), None);
        assert_eq!(read(&message[..19]), None);
    }
}

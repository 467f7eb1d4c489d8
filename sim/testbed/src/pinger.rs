//! Echo requests and what comes back.

use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{SockAddr, Socket};

use crate::DEADLINE;

/// What came back for an echo request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An echo reply.
    Reply {
        /// From the call that sent the request to the kernel's receipt of the reply.
        rtt: Duration,
        /// The reply's TTL on arrival.
        ttl: u8,
    },
    /// An ICMP error about the request.
    Error {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
        /// The second word of its header: the MTU, for a packet that is too big.
        rest: u32,
        /// The outer source address.
        from: Ipv4Addr,
    },
}

/// Sends echo requests from a raw socket and waits for what comes of each.
pub struct Pinger {
    /// The raw socket, for options of its own.
    pub socket: Socket,
    sequence: u16,
}

impl Pinger {
    pub(crate) fn new(socket: Socket) -> Result<Self> {
        // As ping(8) does: when a thread gets to run is no part of a round trip.
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends a request with `payload` bytes and waits for the reply or an error about it.
    ///
    /// # Errors
    /// The kernel refuses the request, or nothing comes back.
    pub fn ping(&mut self, to: Ipv4Addr, payload: usize) -> Result<Answer> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = vec![0u8; 8 + payload];
        request[0] = 8;
        request[4..6].copy_from_slice(&0x6d7au16.to_be_bytes());
        request[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        let sum = !request.chunks(2).fold(0u32, |sum, pair| {
            let sum = sum + u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
            (sum & 0xffff) + (sum >> 16)
        }) as u16;
        request[2..4].copy_from_slice(&sum.to_be_bytes());
        let (start, sent) = (Instant::now(), SystemTime::now());
        self.socket.send_to(&request, &SockAddr::from(SocketAddrV4::new(to, 0))).context("send echo request")?;
        let mut buffer = vec![0u8; 65535];
        while start.elapsed() < DEADLINE {
            let (len, received) = self.receive(&mut buffer).with_context(|| format!("no answer to ping of {to}"))?;
            let rtt = received.duration_since(sent).context("the clock was set meanwhile")?;
            ensure!(len >= 28, "short packet of {len} bytes on a raw socket");
            let header = usize::from(buffer[0] & 0xf) * 4;
            let icmp = &buffer[header..len];
            if icmp[0] == 0 && icmp[4..8] == request[4..8] {
                return Ok(Answer::Reply { rtt, ttl: buffer[8] });
            }
            if matches!(icmp[0], 3 | 11) && icmp.get(8 + 20 + 4..8 + 20 + 8) == Some(&request[4..8]) {
                return Ok(Answer::Error {
                    kind: icmp[0],
                    code: icmp[1],
                    rest: u32::from_be_bytes([icmp[4], icmp[5], icmp[6], icmp[7]]),
                    from: Ipv4Addr::new(buffer[12], buffer[13], buffer[14], buffer[15]),
                });
            }
        }
        bail!("no answer to ping of {to} within {DEADLINE:?}")
    }

    /// The next packet, and when the kernel got it.
    fn receive(&self, buffer: &mut [u8]) -> Result<(usize, SystemTime)> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        Ok((message.bytes, UNIX_EPOCH + stamp.context("the kernel stamped no time")?))
    }
}

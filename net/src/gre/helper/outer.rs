//! The raw GRE socket: packets with their outer headers, many per system call.
//!
//! The headers are ours (`IP_HDRINCL`), so TTL, DF and source are per packet and the kernel adds only identification
//! and checksum. The source is given to the route lookup as well (`IP_PKTINFO`), as it is for a kernel tunnel.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::gre::{Pair, TunnelSpec};
use crate::syscalls::set_option;
use crate::wire::gre::IP_PROTOCOL;
use crate::wire::icmp;

/// Messages per system call.
const MESSAGES: usize = 64;
/// The largest IPv4 packet, rounded up.
const SLOT: usize = 65_536;
/// Socket buffers, in bytes: some hundred packets as the kernel accounts them.
const SOCKET_BUFFER: usize = 4 << 20;
/// How long the socket may be full before packets are dropped.
const FULL_FOR_MS: libc::c_int = 20;
/// Room for one control message with an `in_pktinfo`.
// SAFETY: a computation on a constant.
const CONTROL: usize = unsafe { libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as libc::c_uint) } as usize;

/// The path of a tunnel takes packets of `mtu` bytes and no larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathReport {
    pub(super) pair: Pair,
    /// Outer headers included.
    pub(super) mtu: u32,
}

/// A packet to be sent: where it lies in the batch, and between whom.
#[derive(Clone, Copy)]
struct Queued {
    start: usize,
    end: usize,
    local: Ipv4Addr,
    remote: Ipv4Addr,
}

pub(super) struct Outer {
    socket: Socket,
    /// Received packets, a slot each. Only what is written of a slot takes memory.
    slots: Vec<u8>,
    /// Packets to be sent, one behind the other.
    batch: Vec<u8>,
    queued: Vec<Queued>,
    unsent: usize,
    reports: Vec<PathReport>,
}

impl Outer {
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(i32::from(IP_PROTOCOL))))?;
        socket.set_nonblocking(true)?;
        socket.set_header_included_v4(true)?;
        // Bigger than the system's limit where we may, else as big as it lets us.
        for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
            let size = SOCKET_BUFFER as libc::c_int;
            set_option(&socket, libc::SOL_SOCKET, force, size)
                .or_else(|_| set_option(&socket, libc::SOL_SOCKET, plain, size))?;
        }
        // ICMP errors about what we sent come through the error queue, ip(7).
        set_option(&socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
        Ok(Self {
            socket,
            slots: vec![0; MESSAGES * SLOT],
            batch: Vec::new(),
            queued: Vec::with_capacity(MESSAGES),
            unsent: 0,
            reports: Vec::new(),
        })
    }

    /// Puts a packet, given in parts, into the batch, and sends the batch if it is full.
    pub(super) fn queue(&mut self, spec: &TunnelSpec, parts: [&[u8]; 3]) {
        let start = self.batch.len();
        for part in parts {
            self.batch.extend_from_slice(part);
        }
        self.queued.push(Queued { start, end: self.batch.len(), local: spec.local, remote: spec.remote });
        if self.queued.len() == MESSAGES {
            self.transmit();
        }
    }

    /// Sends the rest of the batch; returns how many packets since the last flush could not be sent.
    pub(super) fn flush(&mut self) -> usize {
        self.transmit();
        std::mem::take(&mut self.unsent)
    }

    fn transmit(&mut self) {
        // SAFETY: these are plain data for which all zeroes is a value.
        let (mut vectors, mut addresses, mut messages): (
            [libc::iovec; MESSAGES],
            [libc::sockaddr_in; MESSAGES],
            [libc::mmsghdr; MESSAGES],
        ) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let mut controls = [Control([0; CONTROL]); MESSAGES];
        for (i, queued) in self.queued.iter().enumerate() {
            vectors[i].iov_base = self.batch[queued.start..queued.end].as_mut_ptr().cast();
            vectors[i].iov_len = queued.end - queued.start;
            addresses[i].sin_family = libc::AF_INET as libc::sa_family_t;
            addresses[i].sin_addr = in_addr(queued.remote);
            let header = &mut messages[i].msg_hdr;
            header.msg_name = (&raw mut addresses[i]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[i];
            header.msg_iovlen = 1;
            header.msg_control = controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
            // SAFETY: the control buffer is aligned and has room for exactly this message.
            unsafe {
                let message = libc::CMSG_FIRSTHDR(header);
                (*message).cmsg_level = libc::IPPROTO_IP;
                (*message).cmsg_type = libc::IP_PKTINFO;
                (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as libc::c_uint) as _;
                let mut info: libc::in_pktinfo = zeroed();
                info.ipi_spec_dst = in_addr(queued.local);
                libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().write_unaligned(info);
            }
        }
        let count = self.queued.len();
        let mut sent = 0;
        let mut tried_again = None;
        while sent < count {
            // SAFETY: messages[sent..count] point into arrays that outlive the call.
            let done = unsafe {
                let rest = messages[sent..].as_mut_ptr();
                libc::sendmmsg(self.socket.as_raw_fd(), rest, (count - sent) as libc::c_uint, 0)
            };
            if done > 0 {
                sent += done as usize;
                continue;
            }
            let refused = (self.queued[sent].local, self.queued[sent].remote);
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) if self.wait_until_writable() => {}
                // It may be an error that an earlier packet met, reported to whoever sends next.
                _ if self.read_error_queue(Some(refused)) > 0 && tried_again != Some(sent) => tried_again = Some(sent),
                _ => {
                    sent += 1;
                    self.unsent += 1;
                }
            }
        }
        self.queued.clear();
        self.batch.clear();
    }

    fn wait_until_writable(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one pollfd that outlives the call.
        unsafe { libc::poll(&mut poll, 1, FULL_FOR_MS) == 1 && poll.revents & libc::POLLOUT != 0 }
    }

    /// Hands each waiting packet to `each`, outer header first, until none is left or `limit` are taken.
    pub(super) fn receive(&mut self, limit: usize, mut each: impl FnMut(&mut [u8])) -> io::Result<()> {
        let mut taken = 0;
        while taken < limit {
            let count = match self.fill_slots() {
                Ok((count, lengths)) => {
                    for (slot, length) in self.slots.chunks_mut(SLOT).zip(&lengths[..count]) {
                        each(&mut slot[..*length]);
                    }
                    count
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // An error that a sent packet met; its queue says which.
                Err(error) if self.read_error_queue(None) > 0 => {
                    tracing::trace!(%error, "error of a sent packet");
                    continue;
                }
                Err(error) => {
                    tracing::trace!(%error, "error of the raw socket");
                    0
                }
            };
            taken += count;
            if count < MESSAGES {
                break;
            }
        }
        self.read_error_queue(None);
        Ok(())
    }

    fn fill_slots(&mut self) -> io::Result<(usize, [usize; MESSAGES])> {
        // SAFETY: these are plain data for which all zeroes is a value.
        let (mut vectors, mut messages): ([libc::iovec; MESSAGES], [libc::mmsghdr; MESSAGES]) =
            unsafe { (zeroed(), zeroed()) };
        for (i, slot) in self.slots.chunks_mut(SLOT).enumerate() {
            vectors[i].iov_base = slot.as_mut_ptr().cast();
            vectors[i].iov_len = SLOT;
            messages[i].msg_hdr.msg_iov = &raw mut vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: the messages point into arrays and slots that outlive the call.
        let count = unsafe {
            let timeout = std::ptr::null_mut();
            libc::recvmmsg(self.socket.as_raw_fd(), messages.as_mut_ptr(), MESSAGES as libc::c_uint, 0, timeout)
        };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((count as usize, messages.map(|message| message.msg_len as usize)))
    }

    /// The reports that came since the last call.
    pub(super) fn path_reports(&mut self) -> Vec<PathReport> {
        std::mem::take(&mut self.reports)
    }

    /// Empties the error queue, keeps what it says about path MTUs, and returns how many errors it held. `refused` is
    /// between whom the packet was that the kernel has just refused to send, if it has.
    fn read_error_queue(&mut self, refused: Option<Pair>) -> usize {
        let mut count = 0;
        loop {
            let mut quote = [0u8; 576];
            let mut control = ErrorControl([0; 256]);
            // SAFETY: plain data, all pointers are to locals that outlive the call.
            let (length, header) = unsafe {
                let mut vector = libc::iovec { iov_base: quote.as_mut_ptr().cast(), iov_len: quote.len() };
                let mut header: libc::msghdr = zeroed();
                header.msg_iov = &mut vector;
                header.msg_iovlen = 1;
                header.msg_control = control.0.as_mut_ptr().cast();
                header.msg_controllen = control.0.len() as _;
                (libc::recvmsg(self.socket.as_raw_fd(), &mut header, libc::MSG_ERRQUEUE), header)
            };
            let Ok(length) = usize::try_from(length) else { return count };
            count += 1;
            let Some(error) = error_of(&header).filter(|error| error.ee_errno == libc::EMSGSIZE as u32) else {
                continue;
            };
            let pair = match error.ee_origin {
                // Larger than the interface it would have left by. Our kernel quotes nothing of it.
                libc::SO_EE_ORIGIN_LOCAL => refused,
                // With our own headers in use, what is quoted starts with them.
                _ => icmp::quoted(&quote[..length]).map(|(outer, _)| (outer.source, outer.destination)),
            };
            self.reports.extend(pair.map(|pair| PathReport { pair, mtu: error.ee_info }));
        }
    }
}

impl AsFd for Outer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL]);

#[repr(align(8))]
struct ErrorControl([u8; 256]);

fn error_of(header: &libc::msghdr) -> Option<libc::sock_extended_err> {
    // SAFETY: the kernel has filled the control buffer, and the macros stay within its length.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::IPPROTO_IP && (*message).cmsg_type == libc::IP_RECVERR {
                return Some(libc::CMSG_DATA(message).cast::<libc::sock_extended_err>().read_unaligned());
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) }
}

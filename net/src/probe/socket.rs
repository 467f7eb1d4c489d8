//! The raw ICMP socket of a prober.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::{Arrival, EchoCodec, EchoSocket, ProbeConfig, ProbeError, Stamp, now};
use crate::syscalls::{self, set_option};
use crate::wire::icmp;

/// Room for some thousand replies, in bytes as the kernel accounts them.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The longest ICMP error, with the headers before it: RFC 1812 section 4.3.2.3.
const LONGEST_ERROR: usize = 576;
/// The longest headers before what a reply brings back: IPv4 with all options, and ICMP.
const LONGEST_HEADERS: usize = 60 + 8;

#[derive(Debug)]
pub(super) struct KernelSocket {
    socket: AsyncFd<Socket>,
    codec: EchoCodec,
}

impl KernelSocket {
    pub(super) fn open(config: &ProbeConfig) -> Result<Self, ProbeError> {
        Self::from_raw(Self::raw(config)?, config)
    }

    /// The socket, in the namespace of the calling thread.
    pub(super) fn raw(config: &ProbeConfig) -> Result<Socket, ProbeError> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).map_err(ProbeError::Open)?;
        if let Some(device) = &config.device {
            let failed = |source| ProbeError::Device { device: device.clone(), source };
            socket.bind_device(Some(device.as_bytes())).map_err(failed)?;
        }
        if let Some(address) = config.source {
            let failed = |source| ProbeError::Source { address, source };
            socket.bind(&SocketAddr::from((address, 0)).into()).map_err(failed)?;
        }
        prepare(&socket, config.dont_fragment).map_err(ProbeError::Open)?;
        Ok(socket)
    }

    /// Registers it with the calling runtime.
    pub(super) fn from_raw(socket: Socket, config: &ProbeConfig) -> Result<Self, ProbeError> {
        let mut random = [0; 10];
        fill_random(&mut random).map_err(ProbeError::Open)?;
        let [i0, i1, cookie @ ..] = random;
        let socket = syscalls::asynchronous(socket).map_err(ProbeError::Open)?;
        let codec =
            EchoCodec { identifier: u16::from_be_bytes([i0, i1]), cookie, payload: config.payload, tag: config.tag };
        Ok(Self { socket, codec })
    }
}

#[async_trait]
impl EchoSocket for KernelSocket {
    fn path_mtu(&self, target: Ipv4Addr) -> Option<u16> {
        let socket = self.socket.get_ref();
        // The option, ip(7), is for connected sockets only; a raw one may be connected and let go again.
        socket.connect(&SocketAddr::from((target, 0)).into()).ok()?;
        let mtu = syscalls::get_option(socket, libc::IPPROTO_IP, libc::IP_MTU).ok();
        syscalls::disconnect(socket).ok()?;
        u16::try_from(mtu?).ok()
    }

    fn send(&self, target: Ipv4Addr, sequence: u16) -> io::Result<Stamp> {
        let message = self.codec.request(sequence);
        let to = SocketAddr::from((target, 0)).into();
        let stamp = Stamp { steady: now(), wall: Some(SystemTime::now()) };
        let result = self.socket.get_ref().send_to(&message, &to);
        match result {
            // A full queue of the interface is as good as a full socket.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Err(io::ErrorKind::WouldBlock.into()),
            result => result.map(|_| stamp),
        }
    }

    async fn writable(&self) -> io::Result<()> {
        let mut guard = self.socket.writable().await?;
        guard.clear_ready();
        Ok(())
    }

    async fn readable(&self) -> io::Result<()> {
        // Cleared before the caller reads until nothing is left, so nothing that comes later is missed.
        let mut guard = self.socket.readable().await?;
        guard.clear_ready();
        Ok(())
    }

    fn receive(&self) -> io::Result<Option<Arrival>> {
        let mut buffer = vec![0; LONGEST_ERROR.max(LONGEST_HEADERS + usize::from(self.codec.payload))];
        loop {
            let mut control = nix::cmsg_space!(TimeSpec);
            let mut vectors = [IoSliceMut::new(&mut buffer)];
            let fd = self.socket.get_ref().as_raw_fd();
            let flags = MsgFlags::MSG_DONTWAIT;
            let (length, wall) = match recvmsg::<SockaddrIn>(fd, &mut vectors, Some(&mut control), flags) {
                Ok(message) => (message.bytes, message.cmsgs()?.find_map(timestamp)),
                Err(nix::errno::Errno::EAGAIN) => return Ok(None),
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let received = Stamp { steady: now(), wall };
            if let Some(arrival) = self.codec.read(&buffer[..length], received) {
                return Ok(Some(arrival));
            }
        }
    }
}

fn prepare(socket: &Socket, dont_fragment: bool) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let discovery = if dont_fragment { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_DONT };
    set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discovery)?;
    setsockopt(socket, ReceiveTimestampns, &true)?;
    // Bigger than the system's limit where we may, else as big as it lets us.
    let size = RECEIVE_BUFFER as libc::c_int;
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size)
        .or_else(|_| socket.set_recv_buffer_size(RECEIVE_BUFFER))?;
    // Only what we read, raw(7): a set bit blocks a type.
    const ICMP_FILTER: libc::c_int = 1;
    let wanted = 1 << icmp::ECHO_REPLY | 1 << icmp::UNREACHABLE | 1 << icmp::TIME_EXCEEDED;
    set_option(socket, libc::SOL_RAW, ICMP_FILTER, !wanted)
}

fn timestamp(message: ControlMessageOwned) -> Option<SystemTime> {
    match message {
        ControlMessageOwned::ScmTimestampns(time) => {
            let (seconds, nanos) = (u64::try_from(time.tv_sec()).ok()?, u32::try_from(time.tv_nsec()).ok()?);
            SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
        }
        _ => None,
    }
}

fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    // SAFETY: the buffer has the length given; so few bytes are never cut short, getrandom(2).
    match unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } {
        length if length == bytes.len() as isize => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

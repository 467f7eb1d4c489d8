//! The sockets of an application on a host.

use std::fmt::Debug;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use async_trait::async_trait;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use crate::syscalls::{self, set_option};

/// What a UDP socket is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UdpSpec {
    /// Address and port to receive at and to send from; what several sockets are bound to, each receives if it is a group,
    /// and the last of them if it is not. The host chooses, if none, when it is first sent from.
    pub bind: Option<SocketAddrV4>,
    /// True if the address to bind to need not be the host's (`IP_FREEBIND`).
    pub freebind: bool,
    /// Interface to send by and to hear from, whatever the routes say (`SO_BINDTODEVICE`).
    pub device: Option<String>,
    /// A group to join on the interface that the route to it leads through. Then only what came in by joined interfaces is
    /// received.
    pub join: Option<Ipv4Addr>,
    /// Octets that may wait to be received, as the kernel accounts them; the host's default if 0.
    pub receive_buffer: u32,
    /// TTL of what is sent to one host; the host's default if none.
    pub ttl: Option<u8>,
    /// TTL of what is sent to a group; 1 if none. The host's own sockets do not receive it.
    pub group_ttl: Option<u8>,
}

/// A UDP socket.
#[async_trait]
pub trait Datagrams: Debug + Send + Sync {
    /// Address and port it is bound to.
    ///
    /// # Errors
    /// The kernel refuses.
    fn local_addr(&self) -> io::Result<SocketAddrV4>;

    /// Sends a datagram now.
    ///
    /// # Errors
    /// What sendto(2) says, such as `ENETUNREACH` where no route leads to the destination, `EPERM`, or an ICMP error that
    /// an earlier datagram met; [`io::ErrorKind::WouldBlock`]: the socket is full.
    fn send_to(&self, datagram: &[u8], to: SocketAddrV4) -> io::Result<()>;

    /// Waits for a datagram and returns its length, cut to the buffer's, and its sender. May be dropped while it waits.
    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddrV4)>;
}

/// What a raw socket is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSpec {
    /// The IPv4 protocol number of what is received; 255 to receive nothing.
    pub protocol: u8,
    /// Interface to send by and to hear from, whatever the routes say (`SO_BINDTODEVICE`).
    pub device: Option<String>,
}

/// A socket for whole IPv4 packets, raw(7) with `IP_HDRINCL`.
#[async_trait]
pub trait RawPackets: Debug + Send + Sync {
    /// Sends a packet, which begins with its IPv4 header, now. The host fills in the checksum and the total length, and
    /// source and identification where they are zero.
    ///
    /// # Errors
    /// What sendto(2) says; [`io::ErrorKind::WouldBlock`]: the socket is full.
    fn send(&self, packet: &[u8]) -> io::Result<()>;

    /// Waits for a packet of the protocol and returns its length, cut to the buffer's. May be dropped while it waits.
    async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A socket of this machine.
#[derive(Debug)]
pub(super) struct KernelSocket(AsyncFd<Socket>);

impl KernelSocket {
    /// Registers a socket with the calling runtime.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        syscalls::asynchronous(socket).map(Self)
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddrV4>)> {
        loop {
            let mut guard = self.0.readable().await?;
            let received = guard.try_io(|socket| {
                // SAFETY: recvfrom writes initialised bytes only, and those are all that may be read of the buffer.
                let buffer = unsafe { &mut *(std::ptr::from_mut::<[u8]>(buffer) as *mut [std::mem::MaybeUninit<u8>]) };
                socket.get_ref().recv_from(buffer)
            });
            match received {
                Ok(received) => return received.map(|(length, from)| (length, from.as_socket_ipv4())),
                Err(_would_block) => {}
            }
        }
    }
}

#[async_trait]
impl Datagrams for KernelSocket {
    fn local_addr(&self) -> io::Result<SocketAddrV4> {
        self.0.get_ref().local_addr()?.as_socket_ipv4().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    fn send_to(&self, datagram: &[u8], to: SocketAddrV4) -> io::Result<()> {
        self.0.get_ref().send_to(datagram, &to.into()).map(drop)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddrV4)> {
        let (length, from) = self.receive(buffer).await?;
        Ok((length, from.ok_or(io::ErrorKind::InvalidData)?))
    }
}

#[async_trait]
impl RawPackets for KernelSocket {
    fn send(&self, packet: &[u8]) -> io::Result<()> {
        // The destination of the header, which the kernel does not look at for its route.
        let to = packet.get(16..20).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        let to = to.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "shorter than an IPv4 header"))?;
        self.0.get_ref().send_to(packet, &SocketAddrV4::new(to.into(), 0).into()).map(drop)
    }

    async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.receive(buffer).await?.0)
    }
}

/// Opens a UDP socket in the namespace of the calling thread.
pub(super) fn udp(spec: &UdpSpec) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    if let Some(device) = &spec.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    if let Some(ttl) = spec.ttl {
        socket.set_ttl_v4(ttl.into())?;
    }
    if let Some(ttl) = spec.group_ttl {
        socket.set_multicast_ttl_v4(ttl.into())?;
    }
    socket.set_multicast_loop_v4(false)?;
    if spec.receive_buffer > 0 {
        let octets = i32::try_from(spec.receive_buffer).unwrap_or(i32::MAX);
        // Beyond the host's limit where that is allowed, else up to it.
        if set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, octets).is_err() {
            socket.set_recv_buffer_size(spec.receive_buffer as usize)?;
        }
    }
    if let Some(address) = spec.bind {
        socket.set_reuse_address(true)?;
        socket.set_freebind_v4(spec.freebind)?;
        socket.bind(&address.into())?;
    }
    if let Some(group) = spec.join {
        socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED))?;
        socket.set_multicast_all_v4(false)?;
    }
    Ok(socket)
}

/// Opens a raw socket in the namespace of the calling thread.
pub(super) fn raw(spec: &RawSpec) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(i32::from(spec.protocol))))?;
    set_option(&socket, libc::IPPROTO_IP, libc::IP_HDRINCL, 1)?;
    if let Some(device) = &spec.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    Ok(socket)
}

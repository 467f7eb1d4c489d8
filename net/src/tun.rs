//! TUN devices: network interfaces whose other end is a file descriptor, one IP packet per read and write.
//!
//! A device belongs to the namespace of the thread that makes it and lives as long as its descriptors, wherever those
//! are used. It is not persistent: the last close removes it.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use rtnetlink::sys::protocols::NETLINK_ROUTE;

use crate::raw_netlink::{ACK, CREATE, Message, RawLink};
use crate::syscalls;
use crate::wire::offload::VirtioHeader;

/// The largest IP packet, and so the largest read without a virtio header.
pub const MAX_PACKET: usize = 65_535;

/// How a device is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunSpec {
    /// Interface name; one with `%d` in it is numbered by the kernel.
    pub name: String,
    /// Each packet is preceded by a 10-byte `virtio_net_hdr`, which carries checksum and segmentation offload.
    pub vnet_hdr: bool,
    /// Several descriptors may share the device, each a queue.
    pub multi_queue: bool,
    /// How many packets may wait to be read; what comes beyond is dropped without holding back the sender.
    pub waiting: u32,
}

/// [`TunSpec::waiting`] if nothing else is said: more than one TCP stream has under way (6 MiB, the most that
/// `net.ipv4.tcp_rmem` lets a receiver offer, in packets of 1500 bytes), so that a stream loses none however long the
/// reader is not scheduled. Each takes 8 bytes of the kernel's memory.
pub const DEFAULT_WAITING: u32 = 5000;

impl TunSpec {
    /// A plain device: one queue, bare packets, room for [`DEFAULT_WAITING`] of them.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), vnet_hdr: false, multi_queue: false, waiting: DEFAULT_WAITING }
    }
}

/// Why a device could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// An interface of that name exists.
    #[error("tun {name}: an interface of that name exists already")]
    Exists {
        /// The wanted name.
        name: String,
    },
    /// `/dev/net/tun` is missing or closed to the caller.
    #[error("tun {name}: cannot open /dev/net/tun: {source} (needs the tun module and read-write permission)")]
    Device {
        /// The wanted name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused the device.
    #[error("tun {name}: cannot create: {source} (needs CAP_NET_ADMIN in the network namespace)")]
    Create {
        /// The wanted name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// One queue of a TUN device, non-blocking.
#[derive(Debug)]
pub struct Tun {
    file: File,
    name: String,
    spec: TunSpec,
}

impl Tun {
    /// Makes a device in the namespace of the calling thread. It is down, and a name that is taken is an error.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn create(spec: &TunSpec) -> Result<Self, TunError> {
        tracing::trace!(?spec, "create tun");
        let tun = Self::attach(spec, libc::IFF_TUN_EXCL)?;
        configure(&tun.name, spec.waiting).map_err(|source| TunError::Create { name: tun.name.clone(), source })?;
        Ok(tun)
    }

    /// A further queue of the same device.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn queue(&self) -> Result<Self, TunError> {
        tracing::trace!(name = self.name, "add tun queue");
        Self::attach(&TunSpec { name: self.name.clone(), ..self.spec.clone() }, 0)
    }

    fn attach(spec: &TunSpec, extra: libc::c_int) -> Result<Self, TunError> {
        let name = &spec.name;
        let create = |source: io::Error| match source.raw_os_error() {
            Some(libc::EBUSY | libc::EEXIST) => TunError::Exists { name: name.clone() },
            // A name taken by another kind of device is reported as a bad argument.
            Some(libc::EINVAL) if syscalls::index_of(name).is_ok() => TunError::Exists { name: name.clone() },
            _ => TunError::Create { name: name.clone(), source },
        };
        let mut request = syscalls::ifreq(name).map_err(create)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")
            .map_err(|source| TunError::Device { name: name.clone(), source })?;
        let mut flags = libc::IFF_TUN | libc::IFF_NO_PI | extra;
        if spec.vnet_hdr {
            flags |= libc::IFF_VNET_HDR;
        }
        if spec.multi_queue {
            flags |= libc::IFF_MULTI_QUEUE;
        }
        request.ifr_ifru.ifru_flags = flags as libc::c_short;
        // SAFETY: the request reads and writes one ifreq, which outlives the call.
        if unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &mut request) } < 0 {
            return Err(create(io::Error::last_os_error()));
        }
        Ok(Self { file, name: syscalls::ifreq_name(&request), spec: spec.clone() })
    }

    /// The name the device was made with. It can be renamed: [`Tun::current_name`] asks.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device's name now, or an error if it was deleted under us.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn current_name(&self) -> io::Result<String> {
        let mut request = zeroed_ifreq();
        // SAFETY: the request writes one ifreq, which outlives the call.
        match unsafe { libc::ioctl(self.file.as_raw_fd(), libc::TUNGETIFF, &mut request) } {
            0 => Ok(syscalls::ifreq_name(&request)),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Says which offloads the reader of the device can take; only with `vnet_hdr`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn set_offload(&self, offload: Offload) -> io::Result<()> {
        // SAFETY: the request takes its argument by value.
        match unsafe { libc::ioctl(self.file.as_raw_fd(), libc::TUNSETOFFLOAD, offload.bits() as libc::c_ulong) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Reads one packet into `buffer`, which must take [`MAX_PACKET`] bytes (and the virtio header) or it is cut.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(buffer)
    }

    /// Writes one packet.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn send(&self, packet: &[u8]) -> io::Result<usize> {
        (&self.file).write(packet)
    }

    /// Writes one packet behind its virtio header; only with `vnet_hdr`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn send_offloaded(&self, header: &VirtioHeader, packet: &[u8]) -> io::Result<usize> {
        (&self.file).write_vectored(&[IoSlice::new(&header.encode()), IoSlice::new(packet)])
    }

    /// Reads packets until none is waiting or `limit` are read, and hands each to `each`; returns their number.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn recv_batch(&self, buffer: &mut [u8], limit: usize, mut each: impl FnMut(&mut [u8])) -> io::Result<usize> {
        for count in 0..limit {
            match self.recv(buffer) {
                Ok(length) => each(&mut buffer[..length]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(count),
                Err(e) if count > 0 && e.kind() == io::ErrorKind::Interrupted => return Ok(count),
                Err(e) => return Err(e),
            }
        }
        Ok(limit)
    }

    /// Writes packets in order and returns how many the kernel took; one that it refuses for itself (as the device is
    /// down) counts as not taken, and the others are still tried.
    pub fn send_batch<'a>(&self, packets: impl IntoIterator<Item = &'a [u8]>) -> usize {
        packets.into_iter().filter(|packet| self.send(packet).is_ok()).count()
    }

    /// Gives up the name and keeps the descriptor.
    pub fn into_fd(self) -> OwnedFd {
        self.file.into()
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Offloads that the reader of a device handles itself (`TUN_F_*`, linux/if_tun.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// Packets may come without their transport checksum.
    pub checksum: bool,
    /// TCP segments may come joined, up to 64 KiB; needs `checksum`.
    pub tso4: bool,
    /// UDP datagrams may come joined; needs `checksum` and Linux 6.2.
    pub uso4: bool,
}

impl Offload {
    fn bits(self) -> libc::c_uint {
        const TUN_F_CSUM: libc::c_uint = 0x01;
        const TUN_F_TSO4: libc::c_uint = 0x02;
        const TUN_F_TSO_ECN: libc::c_uint = 0x08;
        const TUN_F_USO4: libc::c_uint = 0x20;
        const TUN_F_USO6: libc::c_uint = 0x40;
        let mut bits = 0;
        if self.checksum {
            bits |= TUN_F_CSUM;
        }
        if self.tso4 {
            bits |= TUN_F_TSO4 | TUN_F_TSO_ECN;
        }
        if self.uso4 {
            // The kernel takes the two only together.
            bits |= TUN_F_USO4 | TUN_F_USO6;
        }
        bits
    }
}

/// How many packets wait, over netlink: the ioctl for it (`SIOCSIFTXQLEN`) asks for a capability in the initial user
/// namespace.
///
/// And its neighbour, which stands for whatever is at the other end of a point-to-point device, as an entry that is kept.
/// All namespaces of a machine share one table of those that are not, of 1,024 (`gc_thresh3`, arp(7)): with more devices than
/// that each packet of one would throw out the entry of another, and many would be lost. Who sets the device down and up
/// is back among them.
fn configure(name: &str, waiting: u32) -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const IFLA_TXQLEN: u16 = 13;
    let index = syscalls::index_of(name)?.to_ne_bytes();
    // `struct ifinfomsg`, of which only the index matters.
    let mut link = [0; 16];
    link[4..8].copy_from_slice(&index);
    let link = Message::new(RTM_NEWLINK, ACK, &link).attribute(IFLA_TXQLEN, &waiting.to_ne_bytes());
    // `struct ndmsg`: family, index, state.
    let mut neighbour = [0; 12];
    neighbour[0] = libc::AF_INET as u8;
    neighbour[4..8].copy_from_slice(&index);
    neighbour[8..10].copy_from_slice(&NUD_PERMANENT.to_ne_bytes());
    let neighbour = Message::new(RTM_NEWNEIGH, ACK | CREATE, &neighbour).attribute(NDA_DST, &[0; 4]);
    RawLink::open(NETLINK_ROUTE)?.execute(vec![link, neighbour])
}

const RTM_NEWNEIGH: u16 = 28;
const NDA_DST: u16 = 1;
const NUD_PERMANENT: u16 = 0x80;

fn zeroed_ifreq() -> libc::ifreq {
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};

    use super::*;
    use crate::kernel::{AddrInfo, Netlink};
    use crate::raw_netlink::{DUMP, attribute};
    use crate::sandbox;

    #[test]
    fn what_is_sent_needs_no_further_neighbour() {
        sandbox::run_async(|| async {
            let tun = Tun::create(&TunSpec::new("eth0")).unwrap();
            let (netlink, index) = (Netlink::open().unwrap(), syscalls::index_of(tun.name()).unwrap());
            let _ = netlink.add_addr(&AddrInfo::new(index, "10.1.0.1/24".parse().unwrap())).await.unwrap();
            netlink.set_link_up(index, true).await.unwrap();
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            for host in 2..9 {
                socket.send_to(b"hello", (Ipv4Addr::new(10, 1, 0, host), 9)).unwrap();
            }
            const RTM_GETNEIGH: u16 = 30;
            let mut all = [0; 12];
            all[0] = libc::AF_INET as u8;
            let found = RawLink::open(NETLINK_ROUTE).unwrap().dump(&Message::new(RTM_GETNEIGH, DUMP, &all)).unwrap();
            let of_device = found.iter().filter(|entry| entry[4..8] == index.to_ne_bytes());
            let entries: Vec<_> = of_device
                .map(|entry| (u16::from_ne_bytes([entry[8], entry[9]]), attribute(&entry[12..], NDA_DST).unwrap()))
                .collect();
            assert_eq!(entries, [(NUD_PERMANENT, &[0; 4][..])]);
        });
    }
}

//! The fabric's end of a TUN device: whole IPv4 packets in and out of a file descriptor that is passed in.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::uio::{readv, writev};

use crate::packet::ipv4;
use crate::packet::{Packet, segment, vnet};

mod ioctl {
    use nix::libc;

    nix::ioctl_write_int_bad!(set_offload, nix::request_code_write!(b'T', 208, size_of::<libc::c_uint>()));
    nix::ioctl_read_bad!(get_iff, nix::request_code_read!(b'T', 210, size_of::<libc::c_uint>()), libc::ifreq);
    nix::ioctl_write_ptr_bad!(
        set_vnet_hdr_size,
        nix::request_code_write!(b'T', 216, size_of::<libc::c_int>()),
        libc::c_int
    );
}

/// The largest IPv4 packet.
const MAX_PACKET: usize = 65535;
/// Packets up to this size get a buffer of their own size; larger ones keep the one they were read into.
const COPIED: usize = 4096;
/// Buffers kept for reuse.
const SPARE_BUFFERS: usize = 32;

/// An open TUN device.
#[derive(Debug)]
pub(crate) struct Tun {
    fd: OwnedFd,
    vnet_hdr: bool,
}

/// What a read gave.
#[derive(Debug)]
pub(crate) enum Read {
    Packet(Packet),
    /// Nothing for now.
    Empty,
    /// A segment of a kind that was never asked for.
    Unusable,
}

impl Tun {
    /// Takes over a device; asks its kernel to hand over large segments if its packets have a header to say so.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        // SAFETY: ifreq is plain data, for which zeros are a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills an ifreq, and the pointer is to one that outlives the call.
        unsafe { ioctl::get_iff(fd.as_raw_fd(), &raw mut request) }?;
        // SAFETY: TUNGETIFF fills the name and this member of the union.
        let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
        if flags & libc::IFF_TUN == 0 || flags & libc::IFF_NO_PI == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a TUN device opened with IFF_NO_PI"));
        }
        let tun = Self { fd, vnet_hdr: flags & libc::IFF_VNET_HDR != 0 };
        if tun.vnet_hdr {
            tun.offer_offloads()?;
        }
        Ok(tun)
    }

    /// Whether each packet has a header about work left undone.
    pub(crate) fn has_vnet_hdr(&self) -> bool {
        self.vnet_hdr
    }

    fn offer_offloads(&self) -> io::Result<()> {
        const CSUM: u32 = 0x01;
        const TSO4: u32 = 0x02;
        const TSO_ECN: u32 = 0x08;
        /// UDP segmentation is offered for both IP versions or not at all; Linux 6.2 and later.
        const USO: u32 = 0x20 | 0x40;
        let size = vnet::LEN as libc::c_int;
        // SAFETY: the kernel reads an int, and the pointer is to one that outlives the call.
        unsafe { ioctl::set_vnet_hdr_size(self.fd.as_raw_fd(), &raw const size) }?;
        let tcp = CSUM | TSO4 | TSO_ECN;
        // SAFETY: the argument is a number.
        let set = |offloads: u32| unsafe { ioctl::set_offload(self.fd.as_raw_fd(), offloads as libc::c_int) };
        set(tcp | USO).or_else(|_| set(tcp))?;
        Ok(())
    }

    pub(crate) fn read(&self, buffers: &mut Buffers) -> io::Result<Read> {
        let mut header = [0; vnet::LEN];
        let read = if self.vnet_hdr {
            let slices = &mut [IoSliceMut::new(&mut header), IoSliceMut::new(&mut buffers.scratch)];
            readv(&self.fd, slices).map(|len| len.saturating_sub(vnet::LEN))
        } else {
            nix::unistd::read(&self.fd, &mut buffers.scratch)
        };
        let len = match read {
            Ok(len) => len,
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => return Ok(Read::Empty),
            Err(error) => return Err(error.into()),
        };
        let Ok(offload) = vnet::decode(&header) else { return Ok(Read::Unusable) };
        Ok(Read::Packet(Packet { bytes: buffers.take(len), offload, recorded: false }))
    }

    /// Hands a packet to the device's kernel. A checksum that the device is to complete, and cannot, is completed.
    pub(crate) fn write(&self, packet: &mut Packet) -> io::Result<()> {
        if self.vnet_hdr {
            let headers_len = packet.offload.segments.and_then(|segments| {
                let ip = ipv4::parse(&packet.bytes).ok()?;
                segment::headers_len(&packet.bytes, &ip, segments.transport)
            });
            let header = vnet::encode(&packet.offload, headers_len.unwrap_or(0));
            writev(&self.fd, &[IoSlice::new(&header), IoSlice::new(&packet.bytes)])?;
            return Ok(());
        }
        if packet.offload.segments.is_none() {
            packet.complete_checksum();
            nix::unistd::write(&self.fd, &packet.bytes)?;
            return Ok(());
        }
        let Ok(ip) = ipv4::parse(&packet.bytes) else { return Ok(()) };
        for mut part in segment::segment(packet.clone(), &ip) {
            part.complete_checksum();
            nix::unistd::write(&self.fd, &part.bytes)?;
        }
        Ok(())
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Memory that packets are read into. A small packet is copied out; a large one leaves with its buffer, which comes
/// back when it was written.
#[derive(Debug)]
pub(crate) struct Buffers {
    scratch: Vec<u8>,
    spare: Vec<Vec<u8>>,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self { scratch: vec![0; MAX_PACKET], spare: Vec::new() }
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        if len <= COPIED {
            return self.scratch[..len].to_vec();
        }
        let mut fresh = self.spare.pop().unwrap_or_default();
        fresh.resize(MAX_PACKET, 0);
        let mut taken = std::mem::replace(&mut self.scratch, fresh);
        taken.truncate(len);
        taken
    }

    /// Takes back the buffer of a packet that is done.
    pub(crate) fn give_back(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() >= MAX_PACKET && self.spare.len() < SPARE_BUFFERS {
            self.spare.push(bytes);
        }
    }
}

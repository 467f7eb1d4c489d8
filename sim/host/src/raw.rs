//! Raw sockets (raw(7), `net/ipv4/raw.c`): whole packets, and the echo requests of a prober.

use std::net::Ipv4Addr;
use std::time::Instant;

use dz_net::host::RawSpec;
use dz_net::probe::ProbeConfig;
use dz_net::wire::icmp;
use dz_net::wire::ipv4::{self, Header};
use nix::errno::Errno;

use crate::lookup::Flow;
use crate::machine::Machine;
use crate::send::{Fragmentation, Outgoing};
use crate::socket::{Bound, Queue, Raw};

/// Why a prober cannot have its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EchoRefusal {
    /// The interface to bind to.
    Device(Errno),
    /// The source to send from.
    Source(Errno),
}

impl Machine {
    /// As [`dz_net::host::Host::raw`].
    pub(crate) fn open_raw(&mut self, spec: &RawSpec) -> Result<u64, Errno> {
        let device = match &spec.device {
            Some(name) => Some(self.links.find(name).ok_or(Errno::ENODEV)?),
            None => None,
        };
        Ok(self.sockets.add_raw(Raw {
            protocol: spec.protocol,
            address: None,
            source: None,
            device,
            echo_only: false,
            queue: Queue::new(),
        }))
    }

    /// The socket of a prober.
    pub(crate) fn open_echo(&mut self, config: &ProbeConfig) -> Result<u64, EchoRefusal> {
        let device = match &config.device {
            Some(name) => Some(self.links.find(name).ok_or(EchoRefusal::Device(Errno::ENODEV))?),
            None => None,
        };
        let address = config.source.filter(|address| !address.is_unspecified());
        let bound = match address {
            Some(address) => self.bind(address, false).map_err(EchoRefusal::Source)?,
            None => Bound::Receiver,
        };
        Ok(self.sockets.add_raw(Raw {
            protocol: icmp::IP_PROTOCOL,
            address,
            source: address.filter(|_| bound == Bound::Source),
            device,
            echo_only: true,
            queue: Queue::new(),
        }))
    }

    pub(crate) fn close_raw(&mut self, id: u64) {
        self.sockets.raw.remove(&id);
    }

    /// Sends an ICMP message by the socket of a prober.
    pub(crate) fn send_echo(
        &mut self,
        now: Instant,
        id: u64,
        to: Ipv4Addr,
        message: &[u8],
        dont_fragment: bool,
    ) -> Result<(), Errno> {
        let socket = self.sockets.raw.get(&id).ok_or(Errno::EBADF)?;
        let source = socket.source.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let way = self.way_out(&Flow { oif: socket.device, source, ..Flow::to(to) }, false)?;
        let ttl = if to.is_multicast() { 1 } else { self.parameters.default_ttl() };
        let fragmentation = if dont_fragment { Fragmentation::Never } else { Fragmentation::Always };
        let outgoing = Outgoing { destination: to, protocol: icmp::IP_PROTOCOL, ttl, fragmentation };
        self.send_payload(now, &way, &outgoing, message)
    }

    /// Sends a packet with its header: what is zero in it is filled in (`raw_send_hdrinc`).
    pub(crate) fn send_raw(&mut self, now: Instant, id: u64, packet: &[u8]) -> Result<(), Errno> {
        let socket = self.sockets.raw.get(&id).ok_or(Errno::EBADF)?;
        let mut packet = packet.to_vec();
        let head = packet.first_chunk::<{ ipv4::HEADER_LEN }>().ok_or(Errno::EINVAL)?;
        let header_length = usize::from(head[0] & 0x0f) * 4;
        if header_length < ipv4::HEADER_LEN || header_length > packet.len() {
            return Err(Errno::EINVAL);
        }
        let destination = Ipv4Addr::new(head[16], head[17], head[18], head[19]);
        // The route is not looked up by the source that the header has.
        let way = self.way_out(&Flow { oif: socket.device, ..Flow::to(destination) }, true)?;
        let total = u16::try_from(packet.len()).map_err(|_| Errno::EMSGSIZE)?;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        if packet[12..16] == [0; 4] {
            packet[12..16].copy_from_slice(&way.source.octets());
        }
        if packet[4..6] == [0; 2] {
            self.identification = self.identification.wrapping_add(1).max(1);
            packet[4..6].copy_from_slice(&self.identification.to_be_bytes());
        }
        ipv4::seal(&mut packet[..header_length]);
        Header::decode(&packet).map_err(|_| Errno::EINVAL)?;
        self.send_whole(now, &way, packet)
    }
}

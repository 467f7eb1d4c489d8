//! Output by an interface: whole, cut to its MTU, or not at all (`net/ipv4/ip_output.c`).

use std::net::Ipv4Addr;
use std::time::Instant;

use dz_net::wire::fragment::fragment;
use dz_net::wire::icmp::Error;
use dz_net::wire::ipv4::{self, Header};
use nix::errno::Errno;

use crate::lookup::Way;
use crate::machine::Machine;

impl Machine {
    /// The most that goes a way in one packet, in bytes: what the route says counts, be it more than the interface's
    /// (`ip_dst_mtu_maybe_forward`).
    pub(crate) fn mtu_of(&self, way: &Way) -> usize {
        let link = || self.links.get(way.dev).map_or(0, |link| link.mtu);
        way.mtu.unwrap_or_else(link) as usize
    }

    /// As [`Machine::mtu_of`], or what is known of the path to a destination, if that is less.
    pub(crate) fn mtu_towards(&self, now: Instant, way: &Way, destination: Ipv4Addr) -> usize {
        let known = self.path_mtus.get(destination, now).map_or(usize::MAX, |known| known as usize);
        self.mtu_of(way).min(known)
    }

    /// Sends a packet with a header that its sender has written (raw(7), `IP_HDRINCL`).
    ///
    /// # Errors
    /// `EMSGSIZE`: it is larger than the interface takes, or than the path if it must not be cut.
    pub(crate) fn send_whole(&mut self, now: Instant, way: &Way, packet: Vec<u8>) -> Result<(), Errno> {
        let link = self.links.get(way.dev).ok_or(Errno::ENETUNREACH)?.mtu as usize;
        let header = Header::decode(&packet).map_err(|_| Errno::EINVAL)?;
        if packet.len() > link {
            return Err(Errno::EMSGSIZE);
        }
        let path = self.mtu_towards(now, way, header.destination);
        self.send_cut(now, &Way { mtu: Some(path as u32), ..*way }, packet)
    }

    /// Sends a packet, cut into fragments where it must be and may.
    ///
    /// # Errors
    /// `EMSGSIZE`: it must be and may not. Its sender gets an ICMP error too (`ip_fragment`).
    pub(crate) fn send_cut(&mut self, now: Instant, way: &Way, mut packet: Vec<u8>) -> Result<(), Errno> {
        let header = Header::decode(&packet).map_err(|_| Errno::EINVAL)?;
        let mtu = self.mtu_of(way);
        if packet.len() <= mtu {
            self.transmit(now, way.dev, packet);
            return Ok(());
        }
        if header.dont_fragment() {
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            self.report(now, None, Error::FragmentationNeeded(mtu), &packet);
            return Err(Errno::EMSGSIZE);
        }
        if header.identification == 0 {
            self.identification = self.identification.wrapping_add(1).max(1);
            packet[4..6].copy_from_slice(&self.identification.to_be_bytes());
            ipv4::seal(&mut packet[..header.header_length]);
        }
        let header = Header::decode(&packet).map_err(|_| Errno::EINVAL)?;
        for part in fragment(&packet, &header, mtu) {
            self.transmit(now, way.dev, part);
        }
        Ok(())
    }

    /// Sends what a socket of this host has given, as one packet or in fragments.
    ///
    /// # Errors
    /// `EMSGSIZE`: it is larger than the path takes, and must not be cut.
    pub(crate) fn send_payload(
        &mut self,
        now: Instant,
        way: &Way,
        outgoing: &Outgoing,
        payload: &[u8],
    ) -> Result<(), Errno> {
        let length = ipv4::HEADER_LEN + payload.len();
        let path = self.mtu_towards(now, way, outgoing.destination);
        if outgoing.fragmentation == Fragmentation::Never && length > path {
            return Err(Errno::EMSGSIZE);
        }
        let whole = outgoing.fragmentation != Fragmentation::Always && length <= path;
        let header = Header {
            tos: 0,
            total_length: u16::try_from(length).map_err(|_| Errno::EMSGSIZE)?,
            identification: 0,
            fragment: if whole { ipv4::DONT_FRAGMENT } else { 0 },
            ttl: outgoing.ttl,
            protocol: outgoing.protocol,
            source: way.source,
            destination: outgoing.destination,
            header_length: ipv4::HEADER_LEN,
        };
        let packet = [&header.encode()[..], payload].concat();
        self.send_cut(now, &Way { mtu: Some(path as u32), ..*way }, packet)
    }
}

/// When a socket's packets are cut (`IP_MTU_DISCOVER`, ip(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragmentation {
    /// Any router (`IP_PMTUDISC_DONT`).
    Always,
    /// Here, when they are larger than the path takes; routers may not (`IP_PMTUDISC_WANT`, the default).
    Here,
    /// Never: what is too large is refused (`IP_PMTUDISC_DO`).
    Never,
}

/// What a socket says of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    pub(crate) destination: Ipv4Addr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) fragmentation: Fragmentation,
}

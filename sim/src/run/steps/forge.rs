//! Datagrams wrapped in GRE by hand, past the tunnels: what somebody sends who forges packets.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
};

use dz_net::{
    host::{RawPackets, RawSpec},
    wire::{gre, ipv4, udp},
};
use dzsim_scenario::plan::{ClientName, Forged, Node, Via};

use super::{Context, StepError, target};

/// The protocol of a socket that receives nothing, raw(7).
const NOTHING: u8 = 255;
/// The bit that says that a key is there (RFC 2890).
const KEY_PRESENT: u8 = 0x20;

/// Sends forged packets.
pub(super) struct Forge {
    socket: Box<dyn RawPackets>,
    outer: (Ipv4Addr, Ipv4Addr),
    inner: SocketAddrV4,
    key: Option<u32>,
    cut: Option<u16>,
}

impl Forge {
    /// A forge at a client, whose datagrams come from `inner`. What it sends is no mistake of the network's.
    pub(super) async fn open(
        context: &Context,
        client: &ClientName,
        forged: &Forged,
        inner: SocketAddrV4,
    ) -> Result<Self, StepError> {
        let (world, node) = (&context.world, Node::Client(client.clone()));
        let source = match &forged.source {
            Some(source) => target::address(context, &node, &Via::Routes, source).await?,
            None => world.host_ip(client)?,
        };
        let outer = (source, target::address(context, &node, &Via::Routes, &forged.to).await?);
        world.note_pair(outer);
        let spec = RawSpec { protocol: NOTHING, device: None };
        let socket = world.backend.host(&node)?.raw(&spec).await;
        let socket = socket.map_err(|error| StepError::new(format!("{client} cannot send raw packets: {error}")))?;
        Ok(Self { socket, outer, inner, key: forged.key, cut: forged.cut })
    }

    pub(super) fn send_to(&self, datagram: &[u8], to: SocketAddrV4) -> io::Result<()> {
        let packet = self.packet(datagram, to).ok_or(io::ErrorKind::InvalidInput)?;
        self.socket.send(&packet)
    }

    fn packet(&self, datagram: &[u8], to: SocketAddrV4) -> Option<Vec<u8>> {
        let inner = udp::packet(self.inner, to, datagram)?;
        let mut wrapped = gre::HEADER.to_vec();
        if let Some(key) = self.key {
            wrapped[0] |= KEY_PRESENT;
            wrapped.extend(key.to_be_bytes());
        }
        wrapped.extend(inner);
        let mut packet = ipv4::packet(self.outer.0, self.outer.1, gre::IP_PROTOCOL, &wrapped)?;
        if let Some(cut) = self.cut {
            packet.truncate(usize::from(cut).max(ipv4::HEADER_LEN));
        }
        Some(packet)
    }
}

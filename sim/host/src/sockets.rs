//! The sockets of a virtual host as programs see them.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use async_trait::async_trait;
use dz_net::host::{Datagrams, RawPackets, RawSpec, UdpSpec};
use nix::errno::Errno;
use tokio::sync::Notify;

use crate::access::{Access, Guard};
use crate::machine::Machine;
use crate::socket::{Queue, Received};

/// Waits for the next thing in a queue and takes it.
async fn receive(
    guard: &Guard,
    news: &Notify,
    queue: fn(&mut Machine, u64) -> Option<&mut Queue>,
) -> io::Result<Received> {
    loop {
        let next = guard.access().with(|machine, _| queue(machine, guard.id()).map(|queue| queue.received.pop_front()));
        match next?.ok_or(Errno::EBADF)? {
            Some(received) => return Ok(received),
            None => news.notified().await,
        }
    }
}

fn udp_queue(machine: &mut Machine, id: u64) -> Option<&mut Queue> {
    Some(&mut machine.sockets.udp.get_mut(&id)?.queue)
}

fn raw_queue(machine: &mut Machine, id: u64) -> Option<&mut Queue> {
    Some(&mut machine.sockets.raw.get_mut(&id)?.queue)
}

/// Copies as much as fits.
fn copy(bytes: &[u8], buffer: &mut [u8]) -> usize {
    let length = bytes.len().min(buffer.len());
    buffer[..length].copy_from_slice(&bytes[..length]);
    length
}

/// A UDP socket.
#[derive(Debug)]
pub(crate) struct VirtualUdp {
    guard: Guard,
    news: Arc<Notify>,
}

impl VirtualUdp {
    pub(crate) fn open(access: &Access, spec: &UdpSpec) -> io::Result<Self> {
        let open = |machine: &mut Machine| {
            let id = machine.open_udp(spec)?;
            let news = machine.sockets.udp.get(&id).map(|socket| Arc::clone(&socket.queue.news));
            Ok((id, news.ok_or(Errno::EBADF)?))
        };
        let (id, news) = access.with(|machine, _| open(machine)).flatten()?;
        Ok(Self { guard: Guard::new(access, id, Machine::close_udp), news })
    }
}

#[async_trait]
impl Datagrams for VirtualUdp {
    fn local_addr(&self) -> io::Result<SocketAddrV4> {
        let bound = |machine: &mut Machine| machine.sockets.udp.get(&self.guard.id()).map(|socket| socket.bound);
        let bound = self.guard.access().with(|machine, _| bound(machine))?.ok_or(Errno::EBADF)?;
        Ok(bound.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)))
    }

    fn send_to(&self, datagram: &[u8], to: SocketAddrV4) -> io::Result<()> {
        let id = self.guard.id();
        Ok(self.guard.access().with(|machine, now| machine.send_udp(now, id, datagram, to)).flatten()?)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddrV4)> {
        let received = receive(&self.guard, &self.news, udp_queue).await?;
        Ok((copy(&received.bytes, buffer), received.from))
    }
}

/// A socket for whole packets.
#[derive(Debug)]
pub(crate) struct VirtualRaw {
    guard: Guard,
    news: Arc<Notify>,
}

impl VirtualRaw {
    pub(crate) fn open(access: &Access, spec: &RawSpec) -> io::Result<Self> {
        let open = |machine: &mut Machine| {
            let id = machine.open_raw(spec)?;
            let news = machine.sockets.raw.get(&id).map(|socket| Arc::clone(&socket.queue.news));
            Ok((id, news.ok_or(Errno::EBADF)?))
        };
        let (id, news) = access.with(|machine, _| open(machine)).flatten()?;
        Ok(Self { guard: Guard::new(access, id, Machine::close_raw), news })
    }
}

#[async_trait]
impl RawPackets for VirtualRaw {
    fn send(&self, packet: &[u8]) -> io::Result<()> {
        let id = self.guard.id();
        Ok(self.guard.access().with(|machine, now| machine.send_raw(now, id, packet)).flatten()?)
    }

    async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = receive(&self.guard, &self.news, raw_queue).await?;
        Ok(copy(&received.bytes, buffer))
    }
}

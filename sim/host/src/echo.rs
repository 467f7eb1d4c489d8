//! The prober of a virtual host: [`dz_net::probe::round`] over a socket of the model. A packet's time is when it came,
//! to the nanosecond, however late the prober looks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use dz_net::host::Pinger;
use dz_net::probe::{self, Arrival, EchoCodec, EchoSocket, ProbeConfig, ProbeError, ProbeResult, Stamp};
use nix::errno::Errno;
use tokio::sync::Notify;

use crate::access::{Access, Guard};
use crate::machine::Machine;
use crate::raw::EchoRefusal;

/// A prober.
#[derive(Debug)]
pub(crate) struct VirtualPinger {
    socket: VirtualEcho,
    config: ProbeConfig,
    /// Of the next request.
    sequence: u16,
}

#[derive(Debug)]
struct VirtualEcho {
    guard: Guard,
    news: Arc<Notify>,
    codec: EchoCodec,
    dont_fragment: bool,
}

impl VirtualPinger {
    pub(crate) fn open(access: &Access, config: ProbeConfig) -> Result<Self, ProbeError> {
        let open = |machine: &mut Machine| {
            let id = machine.open_echo(&config)?;
            Ok((id, machine.sockets.raw.get(&id).map(|socket| Arc::clone(&socket.queue.news))))
        };
        let opened = access.with(|machine, _| open(machine)).map_err(|errno| ProbeError::Open(errno.into()))?;
        let (id, news) = opened.map_err(|refusal| match refusal {
            EchoRefusal::Device(errno) => {
                ProbeError::Device { device: config.device.clone().unwrap_or_default(), source: errno.into() }
            }
            EchoRefusal::Source(errno) => {
                ProbeError::Source { address: config.source.unwrap_or(Ipv4Addr::UNSPECIFIED), source: errno.into() }
            }
        })?;
        let news = news.ok_or_else(|| ProbeError::Open(Errno::EBADF.into()))?;
        // No two sockets of a host have one number, and with it no two probers what tells their requests apart.
        let codec =
            EchoCodec { identifier: id as u16, cookie: id.to_be_bytes(), payload: config.payload, tag: config.tag };
        let guard = Guard::new(access, id, Machine::close_raw);
        let socket = VirtualEcho { guard, news, codec, dont_fragment: config.dont_fragment };
        Ok(Self { socket, config, sequence: 0 })
    }
}

#[async_trait]
impl Pinger for VirtualPinger {
    async fn round(&mut self, targets: BTreeSet<Ipv4Addr>) -> Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError> {
        probe::round(&self.socket, &self.config, &mut self.sequence, targets).await
    }
}

#[async_trait]
impl EchoSocket for VirtualEcho {
    fn send(&self, target: Ipv4Addr, sequence: u16) -> io::Result<Stamp> {
        let (id, message) = (self.guard.id(), self.codec.request(sequence));
        let sent = self
            .guard
            .access()
            .with(|machine, now| machine.send_echo(now, id, target, &message, self.dont_fragment).map(|()| now));
        Ok(Stamp { steady: sent.flatten()?, wall: None })
    }

    fn receive(&self) -> io::Result<Option<Arrival>> {
        loop {
            let id = self.guard.id();
            let next = self
                .guard
                .access()
                .with(|machine, _| machine.sockets.raw.get_mut(&id).map(|socket| socket.queue.received.pop_front()))?;
            let Some(received) = next.ok_or(Errno::EBADF)? else { return Ok(None) };
            let stamp = Stamp { steady: received.at, wall: None };
            if let Some(arrival) = self.codec.read(&received.bytes, stamp) {
                return Ok(Some(arrival));
            }
        }
    }

    async fn readable(&self) -> io::Result<()> {
        self.news.notified().await;
        Ok(())
    }

    async fn writable(&self) -> io::Result<()> {
        Ok(())
    }

    fn path_mtu(&self, target: Ipv4Addr) -> Option<u16> {
        let mtu = self.guard.access().with(|machine, now| machine.path_mtu(target, now)).ok()?;
        u16::try_from(mtu).ok()
    }
}

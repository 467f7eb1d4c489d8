//! The event loop.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::Socket;

use super::client::Client;
use super::outer::Outer;
use super::table::Table;
use crate::gre::Discard;
use crate::tun::MAX_PACKET;
use crate::wire::coalesce::Coalescer;
use crate::wire::offload::VIRTIO_HEADER_LEN;

/// How long a helper without a connection stays.
const LONELY: Duration = Duration::from_secs(10);

const LISTENER: u64 = 0;
const OUTER: u64 = 1;
const FIRST: u64 = 2;

/// All that the process holds.
pub(super) struct Helper {
    pub(super) epoll: Epoll,
    listener: UnixListener,
    pub(super) outer: Outer,
    pub(super) table: Table,
    clients: BTreeMap<u64, Client>,
    pub(super) discards: BTreeMap<Discard, u64>,
    /// Joins what arrives in one batch.
    pub(super) coalescer: Coalescer<u64>,
    /// Keeps the kernel forwarding multicast.
    pub(super) multicast: Option<Socket>,
    next: u64,
    /// Whether anyone has ever connected.
    met: bool,
    pub(super) buffer: Vec<u8>,
}

impl Helper {
    pub(super) fn new(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let outer = Outer::open()?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
        epoll.add(&outer, EpollEvent::new(EpollFlags::EPOLLIN, OUTER))?;
        Ok(Self {
            epoll,
            listener,
            outer,
            table: Table::default(),
            clients: BTreeMap::new(),
            discards: BTreeMap::new(),
            coalescer: Coalescer::new(),
            multicast: None,
            next: FIRST,
            met: false,
            buffer: vec![0; VIRTIO_HEADER_LEN + MAX_PACKET],
        })
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        let lonely_until = Instant::now() + LONELY;
        let mut events = [EpollEvent::empty(); 64];
        loop {
            if self.is_idle() && (self.met || Instant::now() >= lonely_until) {
                return Ok(());
            }
            let ready = match self.epoll.wait(&mut events, self.patience(lonely_until)) {
                Ok(count) => &events[..count],
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for event in ready {
                match event.data() {
                    LISTENER => self.accept()?,
                    OUTER => self.receive()?,
                    id if self.table.get(id).is_some() => self.send(id),
                    id => self.talk(id, event.events()),
                }
            }
            for id in self.table.restore_mtus(Instant::now()) {
                self.set_mtu(id);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.table.is_empty() && self.clients.is_empty() && self.multicast.is_none()
    }

    /// How long to wait for an event: until someone should have called, or a lowered MTU is to be tried again.
    fn patience(&self, lonely_until: Instant) -> EpollTimeout {
        let lonely = (!self.met && self.is_idle()).then_some(lonely_until);
        let Some(until) = lonely.into_iter().chain(self.table.next_restore()).min() else {
            return EpollTimeout::NONE;
        };
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        EpollTimeout::try_from(left).unwrap_or(EpollTimeout::MAX)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.met = true;
                    match Client::new(stream) {
                        Ok(client) => {
                            let id = self.next_id();
                            self.epoll.add(&client, EpollEvent::new(EpollFlags::EPOLLIN, id))?;
                            self.clients.insert(id, client);
                        }
                        Err(error) => tracing::warn!(%error, "client refused"),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client");
                    return Ok(());
                }
            }
        }
    }

    fn talk(&mut self, id: u64, events: EpollFlags) {
        let Some(mut client) = self.clients.remove(&id) else { return };
        let mut turn = || -> io::Result<bool> {
            let open = if events.contains(EpollFlags::EPOLLIN) { client.read()? } else { true };
            while let Some(request) = client.next_request()? {
                let response = self.answer(request);
                client.queue(&response)?;
            }
            let drained = client.write()?;
            let interest = if drained { EpollFlags::EPOLLIN } else { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT };
            self.epoll.modify(&client, &mut EpollEvent::new(interest, id))?;
            Ok(open && !events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP))
        };
        match turn() {
            Ok(true) => {
                self.clients.insert(id, client);
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "client dropped"),
        }
    }
}

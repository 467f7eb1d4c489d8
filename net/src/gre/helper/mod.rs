//! The process that carries userspace tunnels: one per network namespace.
//!
//! [`serve`] is its whole life. It owns a TUN device per tunnel and one raw GRE socket, takes the namespace's abstract
//! socket name as its lock, and answers clients on it. Tunnels belong to the process, not to the client that asked for
//! them; it ends when it holds no tunnel and nobody is connected. On request it also holds the socket without which the
//! kernel forwards no multicast (see [`crate::mroute`]). Everything runs on one thread around one epoll:
//!
//! ```text
//!   clients (control) ─┐
//!   TUN devices ───────┼─ event loop ── table: name, (local, remote)
//!   raw GRE socket ────┘
//! ```

mod client;
mod outer;
mod path;
mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::Socket;

use self::client::Client;
use self::outer::{Outer, PathReport};
use self::table::{Carrier, Table};
use super::control::{Refusal, Request, Response, SOCKET_NAME};
use super::{Discard, Tunnel, TunnelSpec};
use crate::tun::{MAX_PACKET, Offload, Tun, TunSpec};
use crate::wire::offload::{self, Coalescer, VIRTIO_HEADER_LEN, VirtioHeader};
use crate::{kernel, mroute, sys};

/// The line on standard output by which a helper says that the namespace has one that answers.
pub(super) const READY: &str = "gre helper ready";

/// How long a helper that nobody has spoken to stays.
const LONELY: Duration = Duration::from_secs(10);
/// Packets taken from the path before the tunnels have their turn.
const BATCH: usize = 64;
/// Packets taken from one tunnel before the others have their turn; each may be some 45 on the wire.
const READS: usize = 16;

const LISTENER: u64 = 0;
const OUTER: u64 = 1;
const FIRST: u64 = 2;

/// Why the helper could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[error("gre helper: {what}: {source}")]
pub struct HelperError {
    what: &'static str,
    source: io::Error,
}

/// Serves the calling thread's namespace until there is nothing left to serve. Returns at once if another helper does
/// so already. Standard output is closed once the line that reports readiness is on it.
pub fn serve() -> Result<(), HelperError> {
    let failed = |what| move |source| HelperError { what, source };
    let address = SocketAddr::from_abstract_name(SOCKET_NAME).map_err(failed("name its socket"))?;
    let listener = match UnixListener::bind_addr(&address) {
        Ok(listener) => Some(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
        Err(error) => return Err(failed("bind its socket")(error)),
    };
    let Some(listener) = listener else {
        return report_ready().map_err(failed("report to its starter"));
    };
    let mut helper = Helper::new(listener).map_err(failed("open the raw gre socket (needs CAP_NET_RAW)"))?;
    report_ready().map_err(failed("report to its starter"))?;
    tracing::info!("serving gre tunnels");
    helper.run().map_err(failed("serve"))?;
    tracing::info!("no tunnels and no clients left");
    Ok(())
}

/// Prints the line and lets go of standard output, which is the pipe of a starter that will be gone.
fn report_ready() -> io::Result<()> {
    // A starter that does not care may have closed it.
    match writeln!(io::stdout(), "{READY}").and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
        _ => {}
    }
    let null = File::options().write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(null)?;
    Ok(())
}

struct Helper {
    epoll: Epoll,
    listener: UnixListener,
    outer: Outer,
    table: Table,
    clients: BTreeMap<u64, Client>,
    discards: BTreeMap<Discard, u64>,
    /// Joins what arrives in one batch.
    coalescer: Coalescer<u64>,
    /// Keeps the kernel forwarding multicast.
    multicast: Option<Socket>,
    next: u64,
    /// Whether anyone has ever connected.
    met: bool,
    buffer: Vec<u8>,
}

impl Helper {
    fn new(listener: UnixListener) -> io::Result<Self> {
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

    fn run(&mut self) -> io::Result<()> {
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

    fn next_id(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        id
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.met = true;
                    // An abstract name has no permissions, so the peer's identity decides.
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

    fn answer(&mut self, request: Request) -> Response {
        tracing::debug!(?request, "request");
        let response = match request {
            Request::Create(spec) => self.create(spec).map(Response::Created),
            Request::Delete { name } => self.delete(&name).map(|()| Response::Deleted),
            Request::List => {
                self.drop_deleted();
                Ok(Response::Tunnels(self.table.list()))
            }
            Request::Discards => Ok(Response::Discards(self.discards.clone())),
            Request::HoldMulticast(hold) => self.hold_multicast(hold).map(|()| Response::MulticastHeld(hold)),
        };
        response.unwrap_or_else(|refusal| {
            tracing::info!(?refusal, "refused");
            Response::Refused(refusal)
        })
    }

    fn create(&mut self, spec: TunnelSpec) -> Result<Tunnel, Refusal> {
        spec.check().map_err(|e| Refusal::Invalid { name: spec.name.clone(), reason: e.to_string() })?;
        self.drop_deleted();
        self.table.check_free(&spec)?;
        let failed =
            |error: &dyn std::fmt::Display| Refusal::Failed { name: spec.name.clone(), reason: error.to_string() };
        let tun =
            Tun::create(&TunSpec { vnet_hdr: true, ..TunSpec::new(&spec.name) }).map_err(|error| match error {
                crate::tun::TunError::Exists { .. } => table::name_taken(&spec),
                error => failed(&error),
            })?;
        // A kernel that does not let us do its segmentation does it itself.
        let _ = tun.set_offload(Offload { checksum: true, tso4: true, uso4: false });
        // Only IPv4 is carried; without this the kernel sends IPv6 solicitations into the tunnel. A kernel without
        // IPv6 has nothing to switch off.
        let _ = kernel::sysctl::write(&format!("net/ipv6/conf/{}/disable_ipv6", spec.name), "1");
        let ifindex = sys::index_of(&spec.name)
            .and_then(|index| sys::set_mtu(&spec.name, spec.mtu).map(|()| index))
            .and_then(|index| sys::set_up(&spec.name).map(|()| index))
            .map_err(|e| failed(&e))?;
        let id = self.next_id();
        self.epoll.add(&tun, EpollEvent::new(EpollFlags::EPOLLIN, id)).map_err(|e| failed(&e))?;
        tracing::info!(name = spec.name, local = %spec.local, remote = %spec.remote, "tunnel created");
        Ok(self.table.insert(id, Carrier::new(spec, ifindex, tun)))
    }

    fn delete(&mut self, name: &str) -> Result<(), Refusal> {
        self.drop_deleted();
        let id = self.table.find(name).ok_or_else(|| Refusal::NotFound { name: name.to_owned() })?;
        self.drop_tunnel(id);
        Ok(())
    }

    fn hold_multicast(&mut self, hold: bool) -> Result<(), Refusal> {
        if !hold {
            self.multicast = None;
        } else if self.multicast.is_none() {
            let failed = |e: io::Error| Refusal::Failed { name: "multicast".to_owned(), reason: e.to_string() };
            let socket = mroute::daemon_socket().map_err(failed)?;
            // Reports to the daemon are not read here; they need not take memory either.
            let _ = socket.set_recv_buffer_size(0);
            self.multicast = Some(socket);
        }
        Ok(())
    }

    /// Forgets the tunnels whose interface someone deleted, and learns the names of those that were renamed.
    fn drop_deleted(&mut self) {
        for id in self.table.refresh_names() {
            self.drop_tunnel(id);
        }
    }

    fn drop_tunnel(&mut self, id: u64) {
        if let Some(carrier) = self.table.remove(id) {
            // The descriptor is closed next, which takes it out of the set in any case.
            let _ = self.epoll.delete(carrier.tun.as_fd());
            tracing::info!(name = carrier.spec.name, "tunnel gone");
        }
    }

    /// Takes packets from a tunnel's interface and sends them encapsulated.
    fn send(&mut self, id: u64) {
        let Some(carrier) = self.table.get_mut(id) else { return };
        let (outer, discards) = (&mut self.outer, &mut self.discards);
        let spec = &carrier.spec;
        let counters = &mut carrier.counters;
        let read = carrier.tun.recv_batch(&mut self.buffer, READS, |frame| {
            let mut discard = |discard| {
                counters.tx_dropped += 1;
                *discards.entry(discard).or_default() += 1;
            };
            let sent = offload::segments(frame, |headers, payload| match path::encapsulate(spec, headers, payload) {
                Ok(outer_headers) => {
                    counters.tx_packets += 1;
                    counters.tx_bytes += (headers.len() + payload.len()) as u64;
                    outer.queue(spec, [&outer_headers, headers, payload]);
                }
                Err(why) => discard(why),
            });
            if sent.is_err() {
                discard(Discard::NotIpv4);
            }
        });
        let unsent = self.outer.flush();
        if unsent > 0 {
            counters.tx_packets -= unsent as u64;
            counters.tx_errors += unsent as u64;
            *self.discards.entry(Discard::Unsendable).or_default() += unsent as u64;
        }
        match read {
            Ok(_) => {}
            // EBADFD: the interface was deleted by hand.
            Err(error) if error.raw_os_error() == Some(libc::EBADFD) => self.drop_tunnel(id),
            Err(error) => {
                tracing::warn!(%error, "cannot read from a tunnel");
                self.drop_tunnel(id);
            }
        }
    }

    /// Takes GRE packets from the path and hands them to their tunnels' interfaces.
    fn receive(&mut self) -> io::Result<()> {
        let Self { outer, table, discards, coalescer, .. } = self;
        outer.receive(BATCH, |packet| {
            let result = path::decapsulate(packet).and_then(|arrived| {
                let (id, carrier) = table.of_pair(arrived.pair()).ok_or(Discard::NoTunnel)?;
                let inner = arrived.finish().inspect_err(|_| carrier.counters.rx_errors += 1)?;
                coalescer.push(id, inner, &mut |id, header, packet| deliver(table, discards, id, header, packet));
                Ok(())
            });
            if let Err(discard) = result {
                *discards.entry(discard).or_default() += 1;
            }
        })?;
        coalescer.flush(&mut |id, header, packet| deliver(table, discards, id, header, packet));
        for report in self.outer.path_reports() {
            self.path_too_narrow(report);
        }
        Ok(())
    }

    /// A router on the path, or our own kernel, said that an outer packet was too big (RFC 7588 section 3.2).
    fn path_too_narrow(&mut self, report: PathReport) {
        *self.discards.entry(Discard::PathMtu).or_default() += 1;
        if let Some(id) = self.table.lower_mtu(report, Instant::now()) {
            self.set_mtu(id);
        }
    }

    fn set_mtu(&mut self, id: u64) {
        let Some(carrier) = self.table.get(id) else { return };
        tracing::info!(name = carrier.spec.name, mtu = carrier.mtu(), "tunnel mtu");
        if let Err(error) = sys::set_mtu(&carrier.spec.name, carrier.mtu()) {
            tracing::warn!(name = carrier.spec.name, %error, "cannot set the mtu of a tunnel");
        }
    }
}

/// Writes one packet, or several joined, to a tunnel's interface and counts what went over the wire.
fn deliver(table: &mut Table, discards: &mut BTreeMap<Discard, u64>, id: u64, header: VirtioHeader, packet: &[u8]) {
    let Some(carrier) = table.get_mut(id) else { return };
    let (packets, bytes) = header.on_the_wire(packet.len());
    if carrier.tun.send_offloaded(&header, packet).is_ok() {
        carrier.counters.rx_packets += packets;
        carrier.counters.rx_bytes += bytes;
    } else {
        carrier.counters.rx_dropped += packets;
        *discards.entry(Discard::InterfaceDown).or_default() += packets;
    }
}

/// What tells tunnels apart on the wire: local and remote address.
type Pair = (Ipv4Addr, Ipv4Addr);

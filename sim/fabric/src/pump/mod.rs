//! The rim of the fabric: one thread that waits for packets and deadlines, and carries packets between the devices
//! and the [core](crate::core). Decides nothing.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::capture::{Capture, InterfaceId, Way};
use crate::core::{Core, PortId};
use crate::early_wake::{EarlyWake, Wait};
use crate::error::{FabricError, Result};
use crate::packet::Packet;
use crate::tun::{Buffers, Read, Tun};

mod clock;
mod packet_notice;

use clock::Clock;
use packet_notice::PacketNotice;

/// Packets read from one device before others get their turn.
const BATCH: usize = 32;
/// Packets delivered before devices are read again.
const DELIVERIES: usize = 64;
const EVENTS: usize = 256;

const TIMER: u64 = u64::MAX;
const WAKE: u64 = u64::MAX - 1;

/// What the handle and the thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// How many callers wait for the state: the thread lets them in between batches.
    callers: AtomicUsize,
    epoll: Epoll,
    timer: TimerFd,
    wake: EventFd,
    stop: AtomicBool,
    clock: Clock,
    packet_notice: PacketNotice,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) capture: Option<Capture>,
    ports: Vec<Option<Port>>,
}

#[derive(Debug)]
struct Port {
    /// None if packets are taken and given by a stepper.
    tun: Option<Tun>,
    name: String,
    interface: Option<InterfaceId>,
}

impl State {
    pub(crate) fn new(core: Core, capture: Option<Capture>) -> Self {
        Self { core, capture, ports: Vec::new() }
    }

    /// Makes a port known, with the device that its packets come from.
    pub(crate) fn add_port(&mut self, id: PortId, name: &str, tun: Option<Tun>) {
        let interface = self.capture.as_mut().map(|capture| capture.interface(name));
        let at = id.0 as usize;
        if self.ports.len() <= at {
            self.ports.resize_with(at + 1, || None);
        }
        self.ports[at] = Some(Port { tun, name: name.to_owned(), interface });
    }

    /// Forgets a port, which closes its device.
    pub(crate) fn forget_port(&mut self, id: PortId) {
        if let Some(port) = self.ports.get_mut(id.0 as usize) {
            *port = None;
        }
    }

    /// Takes a packet in at a port.
    pub(crate) fn take_in(&mut self, now: u64, id: PortId, mut packet: Packet) {
        let interface = self.ports.get(id.0 as usize).and_then(|port| port.as_ref()?.interface);
        let (Some(capture), Some(interface)) = (self.capture.as_mut(), interface) else {
            self.core.receive(now, id, packet);
            return;
        };
        let image = capture.image(&packet);
        packet.recorded = true;
        let dropped = self.core.receive(now, id, packet);
        capture.record(now, interface, Way::Sent, image, dropped.map(|reason| format!("dropped: {reason}")));
    }

    /// Hands packets that are due to `take`, as [`Core::deliver`] does. What the capture has not seen with these addresses
    /// is recorded where it arrives.
    pub(crate) fn deliver(
        &mut self,
        now: u64,
        limit: usize,
        mut take: impl FnMut(PortId, Option<&Tun>, &mut Packet) -> bool,
    ) -> usize {
        let Self { core, capture, ports } = self;
        core.deliver(now, limit, |id, packet| {
            let Some(Some(port)) = ports.get(id.0 as usize) else { return false };
            let image = capture.as_ref().filter(|_| !packet.recorded).map(|capture| capture.image(packet));
            let taken = take(id, port.tun.as_ref(), packet);
            if let (true, Some(capture), Some(interface), Some(image)) =
                (taken, capture.as_mut(), port.interface, image)
            {
                capture.record(now, interface, Way::Received, image, None);
            }
            taken
        })
    }
}

impl Shared {
    pub(crate) fn new(core: Core, capture: Option<Capture>) -> Result<Self> {
        let io = |what: &'static str| move |error| FabricError::io(what, error);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io("create epoll"))?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(io("create timer"))?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(io("create eventfd"))?;
        // Edge-triggered: setting the timer again clears it, so that it need not be read.
        let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(timer.as_fd(), EpollEvent::new(edge, TIMER)).map_err(io("watch timer"))?;
        epoll.add(&wake, EpollEvent::new(edge, WAKE)).map_err(io("watch eventfd"))?;
        Ok(Self {
            state: Mutex::new(State::new(core, capture)),
            callers: AtomicUsize::new(0),
            epoll,
            timer,
            wake,
            stop: AtomicBool::new(false),
            clock: Clock::start()?,
            packet_notice: PacketNotice::default(),
        })
    }

    /// The state, for a caller other than the thread.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.callers.fetch_add(1, Ordering::SeqCst);
        let guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.callers.fetch_sub(1, Ordering::SeqCst);
        guard
    }

    pub(crate) fn version(&self) -> u64 {
        self.packet_notice.version()
    }

    pub(crate) fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        self.packet_notice.wait(seen, timeout)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Asks the thread to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        // Only a full counter could refuse, and then the thread is awake.
        let _ = self.wake.write(1);
    }

    /// Starts to carry packets between a device and its port.
    pub(crate) fn connect(&self, state: &mut State, port: PortId, name: &str, tun: Tun) -> Result<()> {
        self.epoll
            .add(&tun, EpollEvent::new(EpollFlags::EPOLLIN, u64::from(port.0)))
            .map_err(|error| FabricError::io(format!("watch the device of {name}"), error))?;
        state.core.set_takes_merged(port, tun.has_vnet_hdr());
        state.add_port(port, name, Some(tun));
        Ok(())
    }

    /// Lets go of a port's device, which closes it.
    pub(crate) fn disconnect(&self, state: &mut State, port: PortId) {
        if let Some(port) = state.ports.get_mut(port.0 as usize).and_then(Option::take) {
            // Closing it would have the same effect, unless somebody else holds the device too.
            if let Some(tun) = &port.tun {
                let _ = self.epoll.delete(tun);
            }
        }
    }

    /// Carries packets until [`Shared::stop`].
    pub(crate) fn run(&self) {
        // The kernel may otherwise round waits up by 50 µs (prctl(2), PR_SET_TIMERSLACK).
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut buffers = Buffers::new();
        let mut events = [EpollEvent::empty(); EVENTS];
        let mut armed = None;
        let mut lead = EarlyWake::default();
        // Whether there is something to do, or to wait for awake, without sleeping.
        let mut more = false;
        while !self.is_stopped() {
            let sleeps = !more;
            let asleep = self.clock.now();
            let timeout = if more { EpollTimeout::ZERO } else { EpollTimeout::NONE };
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(nix::Error::EINTR) => 0,
                Err(error) => {
                    tracing::error!(%error, "fabric cannot wait for packets");
                    return;
                }
            };
            let woken = self.clock.now();
            // The packet that the thread was woken by, if it was one that woke it.
            let mut first = (sleeps && count == 1).then(|| lead.came_at(asleep, woken));
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            more = false;
            for event in &events[..count] {
                match event.data() {
                    TIMER => {
                        // After a wait awake it says nothing about sleep.
                        if let Some(at) = armed.take().filter(|_| sleeps) {
                            lead.rang_late(woken.saturating_sub(at));
                        }
                    }
                    WAKE => {}
                    port => {
                        self.read_batch(&mut state, PortId(port as u32), BATCH, &mut buffers, first.take());
                        more |= self.deliver(&mut state, &mut buffers);
                    }
                }
                if self.callers.load(Ordering::SeqCst) > 0 {
                    // Devices are reported again; the timer is not, and so is set again.
                    (more, armed) = (true, None);
                    break;
                }
            }
            more |= self.deliver(&mut state, &mut buffers);
            self.packet_notice.publish(state.core.version());
            let now = self.clock.now();
            let wait = state.core.next_due().map(|due| lead.plan(now, due));
            more |= wait == Some(Wait::Awake);
            let ring = match wait {
                Some(Wait::Until(ring)) => Some(ring),
                Some(Wait::Awake) | None => None,
            };
            let tick = state.capture.as_mut().and_then(|capture| capture.tick(now));
            let ring = [ring, tick].into_iter().flatten().min();
            if !more && armed != ring {
                self.arm(ring);
                armed = ring;
            }
            drop(state);
            while self.callers.load(Ordering::SeqCst) > 0 && !self.is_stopped() {
                std::thread::yield_now();
            }
        }
    }

    /// Takes packets in, the first of which came at this time if that is known.
    fn read_batch(&self, state: &mut State, id: PortId, limit: usize, buffers: &mut Buffers, mut first: Option<u64>) {
        for _ in 0..limit {
            let Some(Some(Port { tun: Some(tun), name, .. })) = state.ports.get(id.0 as usize) else { return };
            match tun.read(buffers) {
                Ok(Read::Packet(packet)) => {
                    state.take_in(first.take().unwrap_or_else(|| self.clock.now()), id, packet);
                }
                Ok(Read::Empty) => return,
                Ok(Read::Unusable) => tracing::warn!(port = %name, "kernel sent a segment it was not asked for"),
                Err(error) => {
                    // The device is gone, with its namespace perhaps: nothing will come from it any more.
                    log_lost(name, &error);
                    self.disconnect(state, id);
                    return;
                }
            }
        }
    }

    /// Delivers what is due, and takes in what the hosts have answered at once; true if more may be due.
    ///
    /// Where a thousand hosts ask one, the questions wait in a thousand devices and the answers in one. If each had equal
    /// turns, that one would be full before it is read again, and nearly all answers be lost.
    fn deliver(&self, state: &mut State, buffers: &mut Buffers) -> bool {
        let mut delivered: Vec<(PortId, usize)> = Vec::new();
        let count = state.deliver(self.clock.now(), DELIVERIES, |id, tun, packet| {
            let taken = tun.is_some_and(|tun| tun.write(packet).is_ok());
            buffers.give_back(std::mem::take(&mut packet.bytes));
            match delivered.iter_mut().find(|(port, _)| *port == id) {
                Some((_, packets)) => *packets += 1,
                None => delivered.push((id, 1)),
            }
            taken
        });
        for (id, packets) in delivered {
            self.read_batch(state, id, packets, buffers, None);
        }
        count == DELIVERIES
    }

    fn arm(&self, due: Option<u64>) {
        let result = match due {
            Some(at) => {
                let at = TimeSpec::from_duration(Duration::from_nanos(self.clock.origin_ns + at));
                self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
            }
            None => self.timer.unset(),
        };
        if let Err(error) = result {
            tracing::error!(%error, "fabric cannot set its timer");
        }
    }
}

fn log_lost(port: &str, error: &io::Error) {
    tracing::debug!(port, %error, "device is gone");
}

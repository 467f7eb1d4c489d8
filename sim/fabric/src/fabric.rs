//! The handle on a running fabric.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::Ipv4Net;

use crate::capture::{Capture, CaptureConfig};
use crate::core::flow::Mark;
use crate::core::{Core, CoreConfig, NatFilter, PortId};
use crate::counters::{FabricCounters, GrePair, Traffic, TrafficFilter};
use crate::error::{FabricError, Result};
use crate::geo::{Geography, Position};
use crate::profile::PathProfile;
use crate::pump::{Shared, State};
use crate::stepper::Stepper;
use crate::tun::Tun;

/// How a fabric is started.
#[derive(Debug, Clone)]
pub struct FabricConfig {
    /// What all chance comes from.
    pub seed: u64,
    /// What to record; `None` is nothing.
    pub capture: Option<CaptureConfig>,
    /// The address that the internet's routers send ICMP errors from. The default is the one that RFC 7600 section
    /// 4.8 keeps for routers without one of their own.
    pub router: Ipv4Addr,
    /// Memory that packets under way may take, in bytes; beyond it they are dropped.
    pub max_under_way: usize,
    /// Flows whose traffic can be asked for; packets of further ones are counted as one.
    pub max_flows: usize,
}

impl Default for FabricConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            capture: None,
            router: Ipv4Addr::new(192, 0, 0, 8),
            max_under_way: 256 << 20,
            max_flows: 1 << 18,
        }
    }
}

/// A node to connect.
#[derive(Debug)]
pub struct NodeSpec {
    /// Its name, in counters, captures and errors.
    pub name: String,
    /// The other end of its uplink: a TUN device opened with `IFF_NO_PI`.
    pub tun: OwnedFd,
    /// Whether the device was opened with `IFF_VNET_HDR`; checked.
    pub vnet_hdr: bool,
    /// Addresses that are routed to it.
    pub prefixes: Vec<Ipv4Net>,
}

/// A backbone link to lay.
#[derive(Debug)]
pub struct LinkSpec {
    /// Its name, in counters, captures and errors.
    pub name: String,
    /// The node at one end, and the TUN device there.
    pub a: (String, OwnedFd),
    /// The node at the other end, and the TUN device there.
    pub z: (String, OwnedFd),
    /// What happens to packets from `a` to `z`.
    pub profile_az: PathProfile,
    /// What happens to packets from `z` to `a`.
    pub profile_za: PathProfile,
}

/// The running fabric. Clones are handles on the same one; the last to go stops it.
#[derive(Debug, Clone)]
pub struct Fabric {
    handle: Arc<Handle>,
}

#[derive(Debug)]
enum Handle {
    /// A thread carries packets between devices.
    Pumped { shared: Arc<Shared>, thread: Mutex<Option<JoinHandle<()>>> },
    /// A [`Stepper`] says what time it is and takes what is due.
    Stepped(Arc<Mutex<State>>),
}

/// A connected node.
#[derive(Debug, Clone)]
pub struct NodePort {
    fabric: Fabric,
    name: String,
}

impl NodePort {
    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`Fabric::add_prefix`].
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn add_prefix(&self, prefix: Ipv4Net) -> Result<()> {
        self.fabric.add_prefix(&self.name, prefix)
    }

    /// See [`Fabric::remove_prefix`].
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn remove_prefix(&self, prefix: Ipv4Net) -> Result<()> {
        self.fabric.remove_prefix(&self.name, prefix)
    }

    /// See [`Fabric::set_uplink`].
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_uplink(&self, up: bool) -> Result<()> {
        self.fabric.set_uplink(&self.name, up)
    }

    /// See [`Fabric::detach`].
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn detach(self) -> Result<()> {
        self.fabric.detach(&self.name)
    }
}

impl Fabric {
    /// Starts a fabric without nodes.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn start(config: FabricConfig) -> Result<Self> {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch_ns = u64::try_from(epoch.as_nanos()).unwrap_or(0);
        let capture = config.capture.as_ref().map(|capture| Capture::create(capture, epoch_ns)).transpose()?;
        let shared = Arc::new(Shared::new(core(&config), capture)?);
        let pump = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("fabric".into())
            .spawn(move || pump.run())
            .map_err(|error| FabricError::io("start the fabric's thread", error))?;
        Ok(Self { handle: Arc::new(Handle::Pumped { shared, thread: Mutex::new(Some(thread)) }) })
    }

    /// A fabric without nodes whose time is what the [`Stepper`] says. The capture's clock shows `epoch` at its zero.
    ///
    /// # Errors
    /// The capture file cannot be made.
    pub fn stepped(config: &FabricConfig, epoch: Duration) -> Result<(Self, Stepper)> {
        let epoch_ns = u64::try_from(epoch.as_nanos()).unwrap_or(0);
        let capture = config.capture.as_ref().map(|capture| Capture::create(capture, epoch_ns)).transpose()?;
        let state = Arc::new(Mutex::new(State::new(core(config), capture)));
        let stepper = Stepper::new(Arc::clone(&state));
        Ok((Self { handle: Arc::new(Handle::Stepped(state)) }, stepper))
    }

    /// Connects a node's uplink. An address that another node has is an error that names both.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn attach(&self, spec: NodeSpec) -> Result<NodePort> {
        let tun = self.take_over(&spec.name, spec.tun)?;
        if tun.has_vnet_hdr() != spec.vnet_hdr {
            let is = if spec.vnet_hdr { "without" } else { "with" };
            let error = std::io::Error::other(format!("it was opened {is} IFF_VNET_HDR"));
            return Err(FabricError::io(format!("use the device of {}", spec.name), error));
        }
        let mut state = self.handle.lock();
        let port = state.core.attach(&spec.name, &spec.prefixes)?;
        if let Err(error) = self.handle.pumped()?.connect(&mut state, port, &spec.name, tun) {
            state.core.detach(&spec.name)?;
            return Err(error);
        }
        Ok(NodePort { fabric: self.clone(), name: spec.name })
    }

    /// Disconnects a node's uplink, closes its device and frees its addresses. The properties of its paths stay for
    /// its return.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn detach(&self, node: &str) -> Result<()> {
        let mut state = self.handle.lock();
        let port = state.core.detach(node)?;
        self.handle.disconnect(&mut state, port);
        Ok(())
    }

    /// Routes further addresses to a node.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn add_prefix(&self, node: &str, prefix: Ipv4Net) -> Result<()> {
        self.handle.lock().core.add_prefix(node, prefix)
    }

    /// No longer routes these addresses to a node.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn remove_prefix(&self, node: &str, prefix: Ipv4Net) -> Result<()> {
        self.handle.lock().core.remove_prefix(node, prefix)
    }

    /// Puts a node, whose own address is `inside`, behind the translator (NAT) of `outside`. Several nodes may be behind one;
    /// the first of them says what it lets in.
    ///
    /// # Errors
    /// Another node has that address.
    pub fn put_behind(&self, node: &str, inside: Ipv4Addr, outside: Ipv4Addr, filter: NatFilter) -> Result<()> {
        self.handle.lock().core.put_behind(node, inside, outside, filter)
    }

    /// Takes a node's uplink down, in both directions and also for packets under way, or up again.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_uplink(&self, node: &str, up: bool) -> Result<()> {
        self.handle.lock().core.set_uplink(node, up)
    }

    /// Sets the properties of all paths that have none of their own.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_default_path(&self, profile: PathProfile) -> Result<()> {
        self.handle.lock().core.set_default_path(profile)
    }

    /// Lets distance decide the delay of every path that has no properties of its own, between nodes whose positions
    /// are known; what else the default path says still counts. `None` is the default's delay again. Costs nothing per
    /// pair of nodes.
    pub fn set_geography(&self, geography: Option<Geography>) {
        self.handle.lock().core.set_geography(geography);
    }

    /// Says where a node is.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_position(&self, node: &str, position: Position) -> Result<()> {
        self.handle.lock().core.set_position(node, position)
    }

    /// Sets the properties of the path from one node to another, in that direction.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_path(&self, from: &str, to: &str, profile: PathProfile) -> Result<()> {
        self.handle.lock().core.set_path(from, to, Some(profile))
    }

    /// Sets the properties of the path between two nodes, in both directions.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_path_both(&self, a: &str, b: &str, profile: PathProfile) -> Result<()> {
        let core = &mut self.handle.lock().core;
        core.set_path(a, b, Some(profile.clone()))?;
        core.set_path(b, a, Some(profile))
    }

    /// Gives the path from one node to another the default properties again.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn reset_path(&self, from: &str, to: &str) -> Result<()> {
        self.handle.lock().core.set_path(from, to, None)
    }

    /// Sets the properties of whatever `from` (`None`: any node) sends to addresses in `prefix`, before those of the
    /// path between the nodes. The longest prefix counts, and of equal ones that of the sender.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_address_path(&self, from: Option<&str>, prefix: Ipv4Net, profile: PathProfile) -> Result<()> {
        self.handle.lock().core.set_address_path(from, prefix, Some(profile))
    }

    /// Lifts what [`Fabric::set_address_path`] set.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn reset_address_path(&self, from: Option<&str>, prefix: Ipv4Net) -> Result<()> {
        self.handle.lock().core.set_address_path(from, prefix, None)
    }

    /// Blocks the path from one node to another, in that direction, also for packets under way.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn block(&self, from: &str, to: &str) -> Result<()> {
        self.set_blocked(&[from], &[to], true, false)
    }

    /// Opens the path from one node to another again.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn unblock(&self, from: &str, to: &str) -> Result<()> {
        self.set_blocked(&[from], &[to], false, false)
    }

    /// Blocks every path between a node of one side and a node of the other, in both directions. Several partitions
    /// add up.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn partition(&self, side: &[&str], other: &[&str]) -> Result<()> {
        self.set_blocked(side, other, true, true)
    }

    /// Opens every path between a node of one side and a node of the other.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn rejoin(&self, side: &[&str], other: &[&str]) -> Result<()> {
        self.set_blocked(side, other, false, true)
    }

    /// Opens everything that is blocked.
    pub fn heal(&self) {
        self.handle.lock().core.heal();
    }

    fn set_blocked(&self, side: &[&str], other: &[&str], blocked: bool, both: bool) -> Result<()> {
        let core = &mut self.handle.lock().core;
        let mut pairs = Vec::with_capacity(side.len() * other.len() * 2);
        for from in side {
            for to in other {
                let (from, to) = (core.node(from)?, core.node(to)?);
                pairs.push((from, to));
                if both {
                    pairs.push((to, from));
                }
            }
        }
        core.set_blocked(&pairs, blocked);
        Ok(())
    }

    /// Lays a backbone link. Nothing on it routes, cuts packets or answers; its ends need no uplink.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn add_link(&self, spec: LinkSpec) -> Result<()> {
        let ends = [spec.a, spec.z];
        let names = ends.each_ref().map(|(node, _)| format!("{node}:{}", spec.name));
        let nodes = ends.each_ref().map(|(node, _)| node.clone());
        let [a, z] = ends.map(|(_, fd)| fd);
        let tuns = [self.take_over(&names[0], a)?, self.take_over(&names[1], z)?];
        let mut state = self.handle.lock();
        let profiles = [spec.profile_az, spec.profile_za];
        let ports = state.core.add_link(&spec.name, nodes.each_ref().map(String::as_str), profiles)?;
        for ((port, name), tun) in ports.into_iter().zip(&names).zip(tuns) {
            if let Err(error) = self.handle.pumped()?.connect(&mut state, port, name, tun) {
                for port in ports {
                    self.handle.disconnect(&mut state, port);
                }
                state.core.remove_link(&spec.name)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Sets the properties of a link.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_link(&self, link: &str, profile_az: PathProfile, profile_za: PathProfile) -> Result<()> {
        self.handle.lock().core.set_link_profiles(link, [profile_az, profile_za])
    }

    /// Takes a link down, also for packets under way, or up again.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn set_link_up(&self, link: &str, up: bool) -> Result<()> {
        self.handle.lock().core.set_link_up(link, up)
    }

    /// Removes a link and closes its devices.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn remove_link(&self, link: &str) -> Result<()> {
        let mut state = self.handle.lock();
        let ports = state.core.remove_link(link)?;
        for port in ports {
            self.handle.disconnect(&mut state, port);
        }
        Ok(())
    }

    /// Everything counted since the start.
    pub fn counters(&self) -> FabricCounters {
        self.handle.lock().core.counters_snapshot()
    }

    /// Marks this point in the traffic, for the queries below.
    pub fn mark(&self) -> Mark {
        self.handle.lock().core.mark()
    }

    /// What matching packets amount to since `mark`.
    pub fn traffic_since(&self, mark: &Mark, filter: &TrafficFilter) -> Traffic {
        self.handle.lock().core.traffic(Some(mark), filter)
    }

    /// What matching packets amount to since the start.
    pub fn traffic(&self, filter: &TrafficFilter) -> Traffic {
        self.handle.lock().core.traffic(None, filter)
    }

    /// The outer addresses of GRE that each node sent on the internet since `mark` (`None`: the start).
    pub fn gre_pairs(&self, mark: Option<&Mark>) -> BTreeMap<String, BTreeSet<GrePair>> {
        self.handle.lock().core.gre_pairs(mark)
    }

    /// A number that grows whenever packets pass. Read it, ask, and if the answer is not the one hoped for, wait with
    /// [`Fabric::wait_traffic`].
    pub fn version(&self) -> u64 {
        match &*self.handle {
            Handle::Pumped { shared, .. } => shared.version(),
            Handle::Stepped(_) => self.handle.lock().core.version(),
        }
    }

    /// Waits until [`Fabric::version`] is no longer `seen`, or for `timeout`; gives the version then. Does not wait for a
    /// stepped fabric, in which nothing passes meanwhile.
    pub fn wait_traffic(&self, seen: u64, timeout: Duration) -> u64 {
        match &*self.handle {
            Handle::Pumped { shared, .. } => shared.wait(seen, timeout),
            Handle::Stepped(_) => self.version(),
        }
    }

    /// What an echo takes over the internet from a node to `to` and back to the node's address `back`; none where nobody
    /// has the address, where nothing passes, and where it is not the same for every packet.
    pub fn round_trip(&self, from: &str, to: Ipv4Addr, back: Ipv4Addr) -> Option<Duration> {
        self.handle.lock().core.round_trip(from, to, back)
    }

    /// The most that a packet was delivered after it was due, since this was last asked. What a packet waited before the
    /// fabric read it is not in it.
    pub fn take_lateness(&self) -> Duration {
        Duration::from_nanos(self.handle.lock().core.take_latest_ns())
    }

    /// Puts a comment on the next packet in the capture: from here on, packets belong to `text`.
    pub fn annotate(&self, text: &str) {
        if let Some(capture) = &mut self.handle.lock().capture {
            capture.annotate(text);
        }
    }

    /// Makes the capture file whole up to now.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn flush_capture(&self) -> Result<()> {
        self.handle.lock().capture.as_mut().map_or(Ok(()), Capture::flush)
    }

    /// Stops the fabric: nothing passes any more, and the capture file is whole. Counters can still be read.
    ///
    /// # Errors
    /// There is no such node, link or path, a value is out of range, or the fabric has stopped.
    pub fn stop(&self) -> Result<()> {
        self.handle.stop();
        self.flush_capture()
    }

    fn take_over(&self, name: &str, fd: OwnedFd) -> Result<Tun> {
        if self.handle.pumped()?.is_stopped() {
            return Err(FabricError::Stopped);
        }
        Tun::new(fd).map_err(|error| FabricError::io(format!("use the device of {name}"), error))
    }
}

/// The core of a fabric.
fn core(config: &FabricConfig) -> Core {
    Core::new(CoreConfig {
        seed: config.seed,
        router: config.router,
        max_bytes: config.max_under_way,
        max_flows: config.max_flows,
    })
}

impl Handle {
    fn lock(&self) -> MutexGuard<'_, State> {
        match self {
            Self::Pumped { shared, .. } => shared.lock(),
            Self::Stepped(state) => state.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Where devices can be connected.
    fn pumped(&self) -> Result<&Shared> {
        match self {
            Self::Pumped { shared, .. } => Ok(shared),
            Self::Stepped(_) => {
                let error = std::io::Error::from(std::io::ErrorKind::Unsupported);
                Err(FabricError::io("connect a device to a stepped fabric", error))
            }
        }
    }

    fn disconnect(&self, state: &mut State, port: PortId) {
        match self {
            Self::Pumped { shared, .. } => shared.disconnect(state, port),
            Self::Stepped(_) => state.forget_port(port),
        }
    }

    fn stop(&self) {
        let Self::Pumped { shared, thread } = self else { return };
        shared.stop();
        let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the fabric's thread panicked");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
        if let Some(Err(error)) = self.lock().capture.as_mut().map(Capture::flush) {
            tracing::warn!(%error, "capture is incomplete");
        }
    }
}

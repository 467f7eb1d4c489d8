//! Virtual hosts on the fabric's core, in the time of the runtime's clock.
//!
//! Everything is one value behind one lock. A call first lets everything happen that is due by then, each
//! packet at its own time: the runtime's timers are a millisecond apart, the time between packets is not. So what a
//! receive timestamp of a packet is exact, and what it asks for is never older than its own clock.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dz_net::kernel::{AddrInfo, RTPROT_STATIC, RouteInfo};
use dzsim_fabric::{Fabric, FabricConfig, FabricError, PathProfile, PortId, Stepper};
use ipnet::Ipv4Net;
use nix::errno::Errno;
use tokio::sync::Notify;

use crate::VirtualHost;
use crate::link::{Kind, LOOPBACK};
use crate::machine::{AtLink, Machine, Modules};

/// How a network begins.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The fabric's seed, capture and limits.
    pub fabric: FabricConfig,
    /// The wall-clock time of the beginning, since 1970, for the capture.
    pub epoch: Duration,
}

/// A host to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name, also in the fabric.
    pub name: String,
    /// Whether it forwards packets that are not for it.
    pub router: bool,
    /// What its kernel has.
    pub modules: Modules,
    /// Its way to the internet. What the fabric routes to it are the addresses of this port.
    pub uplink: PortSpec,
}

/// A port to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// The interface's name in the host.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<Ipv4Net>,
    /// Whether the host's default route leads out of it, with the first address as source.
    pub default_route: bool,
    /// Its MTU, in bytes.
    pub mtu: u32,
}

impl PortSpec {
    /// A port without addresses and with an MTU of 1500.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), addresses: Vec::new(), default_route: false, mtu: 1500 }
    }

    /// A host's way to the internet, with one address and the default route.
    pub fn uplink(name: impl Into<String>, address: Ipv4Addr) -> Self {
        Self { addresses: vec![address.into()], default_route: true, ..Self::new(name) }
    }
}

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    /// The host's name.
    pub host: String,
    /// The port there.
    pub port: PortSpec,
}

/// A backbone link to lay.
#[derive(Clone, Debug)]
pub struct VirtualLink {
    /// Its name, in counters, captures and errors.
    pub name: String,
    /// One end.
    pub a: LinkEnd,
    /// The other.
    pub z: LinkEnd,
    /// What happens to packets from `a` to `z`, and from `z` to `a`.
    pub profiles: [PathProfile; 2],
}

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The fabric refused.
    #[error(transparent)]
    Fabric(#[from] FabricError),
    /// No such host.
    #[error("host {0}: not found")]
    NoHost(String),
    /// A host of that name is there.
    #[error("host {0}: already exists")]
    HostExists(String),
    /// A host refused one of its ports.
    #[error("port {port} of {host}: {errno}")]
    Port {
        /// The host.
        host: String,
        /// The port.
        port: String,
        /// Why.
        errno: Errno,
    },
}

/// Hosts and what connects them. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Network {
    state: Arc<Mutex<State>>,
    fabric: Fabric,
    /// Something is due earlier than [`Network::run`] waits for.
    sooner: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    stepper: Stepper,
    /// The clock at the fabric's zero.
    origin: Instant,
    hosts: BTreeMap<String, Node>,
    /// How many programs have had access to one of them.
    programs: u64,
    /// Which interface of which host is at a port of the fabric.
    ports: BTreeMap<PortId, (String, u32)>,
    /// Until when [`Network::run`] sleeps.
    armed: Option<u64>,
}

#[derive(Debug)]
struct Node {
    router: bool,
    machine: Machine,
    /// How often it was rebooted.
    generation: u64,
    ports: Vec<(PortSpec, Option<PortId>)>,
    /// The fabric's port at each interface.
    by_link: BTreeMap<u32, PortId>,
}

impl Network {
    /// A network without hosts. Must be called on a tokio runtime, whose clock it takes.
    ///
    /// # Errors
    /// The capture file cannot be made.
    pub fn new(config: &NetworkConfig) -> Result<Self, NetworkError> {
        let (fabric, stepper) = Fabric::stepped(&config.fabric, config.epoch)?;
        let (hosts, ports) = (BTreeMap::new(), BTreeMap::new());
        let state = State { stepper, origin: clock(), hosts, programs: 0, ports, armed: None };
        Ok(Self { state: Arc::new(Mutex::new(state)), fabric, sooner: Arc::new(Notify::new()) })
    }

    /// The internet and the backbone. What is changed there counts from the next packet on.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// Lets time pass: packets arrive when they are due. Polled for as long as there is anything to arrive.
    pub async fn run(&self) {
        loop {
            let due = {
                let mut state = self.lock();
                let due = state.advance();
                state.armed = due;
                due.map(|due| state.origin + Duration::from_nanos(due))
            };
            let rings = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.sooner.notified() => {}
                () = rings => {}
            }
        }
    }

    /// Lets everything happen that is due by now.
    pub fn settle(&self) {
        self.lock().advance();
    }

    /// Adds a host and connects its uplink.
    ///
    /// # Errors
    /// [`NetworkError::HostExists`], or what the fabric or the host refuses.
    pub fn add_host(&self, spec: HostSpec) -> Result<VirtualHost, NetworkError> {
        let mut state = self.lock();
        if state.hosts.contains_key(&spec.name) {
            return Err(NetworkError::HostExists(spec.name));
        }
        let port = state.stepper.attach(&spec.name, &spec.uplink.addresses)?;
        let mut node = Node {
            router: spec.router,
            machine: fresh(spec.modules, spec.router),
            generation: 0,
            ports: vec![(spec.uplink, Some(port))],
            by_link: BTreeMap::new(),
        };
        let links = node.configure().map_err(|(port, errno)| refused(&spec.name, port, errno))?;
        state.hosts.insert(spec.name.clone(), node);
        state.connect(&spec.name, links);
        drop(state);
        self.host(&spec.name)
    }

    /// Adds a port that leads nowhere: what is sent by it is lost.
    ///
    /// # Errors
    /// [`NetworkError::NoHost`], or what the host refuses.
    pub fn add_port(&self, host: &str, port: PortSpec) -> Result<(), NetworkError> {
        self.lock().add_port(host, port, None)
    }

    /// Lays a link between two hosts.
    ///
    /// # Errors
    /// [`NetworkError::NoHost`], or what the fabric or a host refuses.
    pub fn add_link(&self, link: VirtualLink) -> Result<(), NetworkError> {
        let mut state = self.lock();
        for end in [&link.a, &link.z] {
            if !state.hosts.contains_key(&end.host) {
                return Err(NetworkError::NoHost(end.host.clone()));
            }
        }
        let [a, z] = state.stepper.add_link(&link.name, [&link.a.host, &link.z.host], link.profiles)?;
        state.add_port(&link.a.host, link.a.port, Some(a))?;
        state.add_port(&link.z.host, link.z.port, Some(z))
    }

    /// One of the hosts, as its programs see it.
    ///
    /// # Errors
    /// [`NetworkError::NoHost`].
    pub fn host(&self, name: &str) -> Result<VirtualHost, NetworkError> {
        let mut state = self.lock();
        if !state.hosts.contains_key(name) {
            return Err(NetworkError::NoHost(name.to_owned()));
        }
        state.programs += 1;
        Ok(VirtualHost::new(self.clone(), name, state.programs))
    }

    /// Reboots a host: everything that it knew is lost but its ports, which are configured as at first. Its programs
    /// must be ended by their owner; what sockets they still have are dead.
    ///
    /// # Errors
    /// [`NetworkError::NoHost`], or what the host refuses.
    pub fn reboot(&self, name: &str) -> Result<(), NetworkError> {
        let mut state = self.lock();
        state.advance();
        let node = state.hosts.get_mut(name).ok_or_else(|| NetworkError::NoHost(name.to_owned()))?;
        node.machine.watchers.end();
        node.machine.sockets.end();
        node.machine = fresh(node.machine.modules, node.router);
        node.generation += 1;
        let links = node.configure().map_err(|(port, errno)| refused(name, port, errno))?;
        state.ports.retain(|_, (host, _)| host != name);
        state.connect(name, links);
        Ok(())
    }

    /// Kills the process that carries a host's tunnels, with which they go; false if there is none.
    ///
    /// # Errors
    /// [`NetworkError::NoHost`].
    pub fn kill_helper(&self, name: &str) -> Result<bool, NetworkError> {
        let mut state = self.lock();
        state.advance();
        let node = state.hosts.get_mut(name).ok_or_else(|| NetworkError::NoHost(name.to_owned()))?;
        Ok(node.machine.kill_helper())
    }

    /// Asks or changes a host now; none if it has been rebooted since `generation`, if that is given.
    pub(crate) fn with<T>(
        &self,
        name: &str,
        generation: Option<u64>,
        f: impl FnOnce(&mut Machine, Instant) -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        let before = state.advance();
        let now = clock();
        let node = state.hosts.get_mut(name)?;
        if generation.is_some_and(|generation| generation != node.generation) {
            return None;
        }
        node.machine.restore_mtus(now);
        let value = f(&mut node.machine, now);
        node.machine.run(now);
        let at = state.since_origin(now);
        state.carry(name, at);
        let due = state.stepper.next_due();
        if due != before && due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed)) {
            self.sooner.notify_one();
        }
        Some(value)
    }

    /// How often a host has been rebooted.
    pub(crate) fn generation(&self, name: &str) -> Option<u64> {
        self.lock().hosts.get(name).map(|node| node.generation)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets everything happen that is due by now, and returns when the next packet is.
    fn advance(&mut self) -> Option<u64> {
        let now = self.since_origin(clock());
        loop {
            let Self { stepper, hosts, ports, .. } = self;
            let mut receiver = None;
            let given = stepper.give(now, |at, port, packet| {
                let Some((name, link)) = ports.get(&port) else { return false };
                let Some(node) = hosts.get_mut(name) else { return false };
                receiver = Some((name.clone(), at));
                node.machine.arrive(*link, packet)
            });
            if !given {
                return self.stepper.next_due();
            }
            if let Some((name, at)) = receiver {
                let now = self.origin + Duration::from_nanos(at);
                if let Some(node) = self.hosts.get_mut(&name) {
                    node.machine.run(now);
                }
                self.carry(&name, at);
            }
        }
    }

    fn since_origin(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Hands to the fabric what leaves a host.
    fn carry(&mut self, name: &str, at: u64) {
        let Some(node) = self.hosts.get_mut(name) else { return };
        for AtLink { link, packet } in std::mem::take(&mut node.machine.leaving) {
            if let Some(port) = node.by_link.get(&link) {
                self.stepper.take_in(at, *port, packet);
            }
        }
    }

    fn add_port(&mut self, host: &str, spec: PortSpec, port: Option<PortId>) -> Result<(), NetworkError> {
        let node = self.hosts.get_mut(host).ok_or_else(|| NetworkError::NoHost(host.to_owned()))?;
        let link = node.machine.configure_port(&spec).map_err(|errno| refused(host, spec.name.clone(), errno))?;
        node.ports.push((spec, port));
        self.connect(host, port.map(|port| (link, port)).into_iter().collect());
        Ok(())
    }

    fn connect(&mut self, host: &str, links: Vec<(u32, PortId)>) {
        for (link, port) in links {
            self.ports.insert(port, (host.to_owned(), link));
            if let Some(node) = self.hosts.get_mut(host) {
                node.by_link.insert(link, port);
            }
        }
    }
}

impl Node {
    /// Gives a fresh machine its ports, and says which interface each port of the fabric is at.
    fn configure(&mut self) -> Result<Vec<(u32, PortId)>, (String, Errno)> {
        self.by_link.clear();
        let mut links = Vec::new();
        for (spec, port) in &self.ports {
            let link = self.machine.configure_port(spec).map_err(|errno| (spec.name.clone(), errno))?;
            links.extend(port.map(|port| (link, port)));
        }
        Ok(links)
    }
}

impl Machine {
    /// Makes a port as its description says, and sets it up.
    fn configure_port(&mut self, spec: &PortSpec) -> Result<u32, Errno> {
        let index = self.add_port(&spec.name, spec.mtu)?;
        for address in &spec.addresses {
            let address = AddrInfo { protocol: RTPROT_STATIC, ..AddrInfo::new(index, *address) };
            match self.add_addr(&address) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(error) => return Err(error),
            }
        }
        self.set_link_up(index, true)?;
        if spec.default_route {
            self.replace_route(&RouteInfo {
                dev: Some(index),
                source: spec.addresses.first().map(Ipv4Net::addr),
                protocol: RTPROT_STATIC,
                ..RouteInfo::unicast(Ipv4Net::default())
            })?;
        }
        Ok(index)
    }
}

/// A host as the lab makes one: its loopback is up, and its parameters are what scenarios count on.
fn fresh(modules: Modules, router: bool) -> Machine {
    const ALL: [(&str, &str); 2] = [("net/ipv4/icmp_ratelimit", "0"), ("net/ipv4/ping_group_range", "0\t0")];
    const ROUTER: [(&str, &str); 3] = [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/send_redirects", "0"),
        ("net/ipv4/conf/default/send_redirects", "0"),
    ];
    let mut machine = Machine::new(modules);
    debug_assert_eq!(machine.links.get(LOOPBACK).map(|link| &link.kind), Some(&Kind::Loopback));
    let own: &[_] = if router { &ROUTER } else { &[] };
    for (path, value) in ALL.iter().chain(own) {
        let set = machine.set_sysctl(path, value);
        debug_assert_eq!(set, Ok(()), "{path}");
    }
    let up = machine.set_link_up(LOOPBACK, true);
    debug_assert_eq!(up, Ok(()));
    machine
}

fn refused(host: &str, port: String, errno: Errno) -> NetworkError {
    NetworkError::Port { host: host.to_owned(), port, errno }
}

/// The runtime's clock.
fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

//! One Linux host as a value: its network configuration and what it does with packets. It has no clock and no file
//! descriptor: time comes in with each packet, and what leaves by a port is handed out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use dz_net::gre::Discard;
use dz_net::kernel::{Change, LinkInfo, LinkKind, LinkSpec, RouteKind, RuleInfo};
use nix::errno::Errno;

use crate::filter::Filter;
use crate::fragments::Reassembly;
use crate::groups::GroupRoutes;
use crate::link::{Kind, LOOPBACK, Link, Links};
use crate::membership::Memberships;
use crate::parameter::Parameters;
use crate::path_mtu::PathMtus;
use crate::route::Table;
use crate::rule;
use crate::socket::Sockets;
use crate::watch::Watchers;

/// What the kernel of a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modules {
    /// `dummy` interfaces; without them a portless bridge holds a loopback address.
    pub dummy: bool,
    /// `gre` interfaces; without them a helper process carries tunnels over TUN devices.
    pub gre: bool,
}

/// A packet at an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AtLink {
    pub(crate) link: u32,
    pub(crate) packet: Vec<u8>,
}

/// A host.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) modules: Modules,
    pub(crate) links: Links,
    /// How many addresses were ever added.
    pub(crate) addresses_added: u64,
    pub(crate) tables: BTreeMap<u32, Table>,
    /// In the order in which they are tried.
    pub(crate) rules: Vec<RuleInfo>,
    /// Rules were added or deleted: sources are checked by them for good.
    pub(crate) custom_rules: bool,
    /// A route that delivers here was added by hand, with the same effect.
    pub(crate) custom_local_routes: bool,
    pub(crate) parameters: Parameters,
    pub(crate) filter: Filter,
    pub(crate) groups: GroupRoutes,
    pub(crate) memberships: Memberships,
    pub(crate) sockets: Sockets,
    pub(crate) path_mtus: PathMtus,
    pub(crate) fragments: Reassembly,
    pub(crate) watchers: Watchers,
    /// What the helper has thrown away since it was started.
    pub(crate) discards: BTreeMap<Discard, u64>,
    /// Identification of the next packet that may be fragmented.
    pub(crate) identification: u16,
    /// Received and not yet looked at.
    pub(crate) arrived: VecDeque<AtLink>,
    /// To leave by a port.
    pub(crate) leaving: Vec<AtLink>,
}

impl Machine {
    /// A fresh network namespace: the loopback, down, and the kernel's own rules.
    pub(crate) fn new(modules: Modules) -> Self {
        Self {
            modules,
            links: Links::new(),
            addresses_added: 0,
            tables: BTreeMap::new(),
            rules: rule::initial(),
            custom_rules: false,
            custom_local_routes: false,
            parameters: Parameters::new(),
            filter: Filter::default(),
            groups: GroupRoutes::default(),
            memberships: Memberships::default(),
            sockets: Sockets::default(),
            path_mtus: PathMtus::default(),
            fragments: Reassembly::default(),
            watchers: Watchers::default(),
            discards: BTreeMap::new(),
            identification: 0,
            arrived: VecDeque::new(),
            leaving: Vec::new(),
        }
    }

    /// All interfaces, by index.
    pub(crate) fn links(&self) -> Vec<LinkInfo> {
        self.links.iter().map(|(index, link)| link.info(index)).collect()
    }

    /// `ip link add`, which leaves it down.
    pub(crate) fn add_link(&mut self, spec: &LinkSpec) -> Result<u32, Errno> {
        let kind = match &spec.kind {
            LinkKind::Bridge => Kind::Bridge,
            LinkKind::Dummy if self.modules.dummy => Kind::Dummy,
            LinkKind::Loopback => {
                if self.modules.dummy {
                    Kind::Dummy
                } else {
                    Kind::Bridge
                }
            }
            LinkKind::Gre(gre) if self.modules.gre => self.gre_kind(&spec.name, *gre)?,
            LinkKind::Dummy | LinkKind::Gre(_) | LinkKind::Veth { .. } => return Err(Errno::EOPNOTSUPP),
        };
        let default = if matches!(kind, Kind::Tunnel(_)) { dz_net::gre::DEFAULT_MTU } else { 1500 };
        let link = Link::new(&spec.name, kind, spec.mtu.unwrap_or(default));
        if self.links.find(&spec.name).is_some() {
            return Err(Errno::EEXIST);
        }
        link.check_mtu(link.mtu)?;
        self.insert_link(link)
    }

    /// Adds an interface with what belongs to its name.
    pub(crate) fn insert_link(&mut self, link: Link) -> Result<u32, Errno> {
        let name = link.name.clone();
        let index = self.links.add(link)?;
        self.parameters.add_interface(&name);
        self.watchers.notify(Change::Link);
        self.watchers.notify(Change::Parameter);
        Ok(index)
    }

    /// Adds a TUN device whose other end is open, down.
    pub(crate) fn add_port(&mut self, name: &str, mtu: u32) -> Result<u32, Errno> {
        let link = Link::new(name, Kind::Port { carrier: true }, mtu);
        link.check_mtu(mtu)?;
        self.insert_link(link)
    }

    /// `ip link delete`: its addresses, routes and memberships go with it.
    pub(crate) fn delete_link(&mut self, index: u32) -> Result<(), Errno> {
        let link = self.links.get(index).ok_or(Errno::ENODEV)?;
        if link.kind == Kind::Loopback {
            return Err(Errno::EOPNOTSUPP);
        }
        let name = link.name.clone();
        self.set_link_up(index, false)?;
        let addresses = self.links.get(index).map(|link| link.addresses.clone()).unwrap_or_default();
        for address in addresses.iter().filter(|address| !address.secondary) {
            self.remove_address(index, address);
        }
        self.flush_routes(|route| route.dev == Some(index));
        self.memberships.forget_link(index);
        self.groups.forget_link(index);
        self.parameters.remove_interface(&name);
        self.links.remove(index);
        self.watchers.notify(Change::Link);
        self.watchers.notify(Change::Parameter);
        self.helper_may_end();
        Ok(())
    }

    /// `ip link set up|down`. Routes go with an interface that goes down, all but those that deliver here; of them only
    /// those of its addresses come back with it.
    pub(crate) fn set_link_up(&mut self, index: u32, up: bool) -> Result<(), Errno> {
        let link = self.links.get_mut(index).ok_or(Errno::ENODEV)?;
        if link.up == up {
            return Ok(());
        }
        link.up = up;
        self.watchers.notify(Change::Link);
        if up {
            self.addresses_come_up(index);
        } else {
            self.flush_routes(|route| route.dev == Some(index) && route.kind != RouteKind::Local);
        }
        Ok(())
    }

    /// `ip link set mtu`.
    pub(crate) fn set_link_mtu(&mut self, index: u32, mtu: u32) -> Result<(), Errno> {
        let link = self.links.get_mut(index).ok_or(Errno::ENODEV)?;
        if link.mtu == mtu {
            return Ok(());
        }
        link.check_mtu(mtu)?;
        link.mtu = mtu;
        self.watchers.notify(Change::Link);
        Ok(())
    }

    /// `ip link set alias`.
    pub(crate) fn set_link_alias(&mut self, index: u32, alias: &str) -> Result<(), Errno> {
        let link = self.links.get_mut(index).ok_or(Errno::ENODEV)?;
        // `IFALIASZ`, with the byte that ends it.
        if alias.len() >= 256 {
            return Err(Errno::EINVAL);
        }
        link.alias = Some(alias.to_owned()).filter(|alias| !alias.is_empty());
        self.watchers.notify(Change::Link);
        Ok(())
    }

    /// Has a packet come in by an interface; false if it is down, and the packet is lost.
    pub(crate) fn arrive(&mut self, link: u32, packet: Vec<u8>) -> bool {
        match self.links.get_mut(link) {
            Some(at) if at.up => {
                at.counters.rx_packets += 1;
                at.counters.rx_bytes += packet.len() as u64;
                self.arrived.push_back(AtLink { link, packet });
                true
            }
            _ => false,
        }
    }

    /// Looks at everything that has come in, and at what comes of it on this host.
    pub(crate) fn run(&mut self, now: Instant) {
        while let Some(AtLink { link, packet }) = self.arrived.pop_front() {
            self.receive(now, link, packet);
        }
    }

    /// Hands a packet to an interface to send. It must fit the interface's MTU.
    pub(crate) fn transmit(&mut self, now: Instant, link: u32, packet: Vec<u8>) {
        let Some(at) = self.links.get_mut(link) else { return };
        if !at.up {
            at.counters.tx_dropped += 1;
            return;
        }
        if matches!(at.kind, Kind::Tunnel(_)) {
            return self.encapsulate(now, link, &packet);
        }
        at.counters.tx_packets += 1;
        at.counters.tx_bytes += packet.len() as u64;
        match at.kind {
            Kind::Loopback => {
                self.arrive(LOOPBACK, packet);
            }
            Kind::Port { carrier: true } => self.leaving.push(AtLink { link, packet }),
            Kind::Port { carrier: false } => {
                at.counters.tx_packets -= 1;
                at.counters.tx_bytes -= packet.len() as u64;
                at.counters.tx_dropped += 1;
            }
            Kind::Bridge | Kind::Dummy | Kind::Tunnel(_) => {}
        }
    }
}

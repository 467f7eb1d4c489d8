//! The interfaces of a host (netdevice(7), and `net/core/dev.c` for what their names and MTUs may be).

use std::collections::BTreeMap;

use dz_net::gre::TunnelSpec;
use dz_net::kernel::{GreInfo, LinkCounters, LinkInfo};
use nix::errno::Errno;

use crate::address::Address;
use crate::tunnel::TunnelMtu;

/// Index of the loopback interface, which is the first in each namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// What an interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `lo`.
    Loopback,
    /// A TUN device whose other end is the fabric's.
    Port {
        /// Whether anyone holds the other end.
        carrier: bool,
    },
    /// A bridge without ports: what is sent into it is dropped.
    Bridge,
    /// A `dummy`: what is sent into it is dropped.
    Dummy,
    /// A GRE tunnel.
    Tunnel(Tunnel),
}

/// What is special about a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tunnel {
    /// As it was made. Its name and MTU are the interface's.
    pub(crate) spec: TunnelSpec,
    /// What the path allows.
    pub(crate) mtu: TunnelMtu,
    /// Made by the kernel, not by the helper.
    pub(crate) by_kernel: bool,
}

/// An interface with its addresses.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) up: bool,
    /// In bytes.
    pub(crate) mtu: u32,
    pub(crate) alias: Option<String>,
    pub(crate) counters: LinkCounters,
    /// In the kernel's order: primary ones by scope, the widest last among equals, then the secondary ones.
    pub(crate) addresses: Vec<Address>,
}

impl Link {
    /// An interface that is down.
    pub(crate) fn new(name: &str, kind: Kind, mtu: u32) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            up: false,
            mtu,
            alias: None,
            counters: LinkCounters::default(),
            addresses: Vec::new(),
        }
    }

    /// The tunnel that it is, if it is one.
    pub(crate) fn tunnel(&self) -> Option<&Tunnel> {
        match &self.kind {
            Kind::Tunnel(tunnel) => Some(tunnel),
            _ => None,
        }
    }

    /// As rtnetlink lists it.
    pub(crate) fn info(&self, index: u32) -> LinkInfo {
        let (kind, carrier, gre) = match &self.kind {
            Kind::Loopback => (None, true, None),
            Kind::Port { carrier } => (Some("tun"), *carrier, None),
            // No port, no carrier.
            Kind::Bridge => (Some("bridge"), false, None),
            Kind::Dummy => (Some("dummy"), true, None),
            Kind::Tunnel(Tunnel { spec, by_kernel: true, .. }) => {
                (Some("gre"), true, Some(GreInfo { local: spec.local, remote: spec.remote, ttl: spec.ttl }))
            }
            Kind::Tunnel(_) => (Some("tun"), true, None),
        };
        LinkInfo {
            index,
            name: self.name.clone(),
            kind: kind.map(str::to_owned),
            up: self.up,
            running: self.up && carrier,
            mtu: self.mtu,
            master: None,
            alias: self.alias.clone(),
            gre,
            counters: self.counters,
        }
    }

    /// Refuses an MTU that its driver does not take (`dev_validate_mtu`).
    pub(crate) fn check_mtu(&self, mtu: u32) -> Result<(), Errno> {
        let range = match self.kind {
            Kind::Loopback | Kind::Dummy => 0..=u32::MAX >> 1,
            Kind::Port { .. } | Kind::Bridge => 68..=65_535,
            Kind::Tunnel(Tunnel { by_kernel: true, .. }) => 68..=65_535 - 24,
            Kind::Tunnel(_) => 68..=65_535,
        };
        if range.contains(&mtu) { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// All interfaces by index. Indices are given in order and never twice.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    by_index: BTreeMap<u32, Link>,
    next: u32,
}

impl Links {
    /// The loopback alone, down.
    pub(crate) fn new() -> Self {
        let mut loopback = Link::new("lo", Kind::Loopback, 65_536);
        loopback.kind = Kind::Loopback;
        Self { by_index: BTreeMap::from([(LOOPBACK, loopback)]), next: LOOPBACK + 1 }
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Link> {
        self.by_index.get(&index)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Link> {
        self.by_index.get_mut(&index)
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.by_index.iter().find(|(_, link)| link.name == name).map(|(index, _)| *index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Link)> {
        self.by_index.iter().map(|(index, link)| (*index, link))
    }

    /// Adds an interface under a name that is free and valid.
    pub(crate) fn add(&mut self, link: Link) -> Result<u32, Errno> {
        check_name(&link.name)?;
        if self.find(&link.name).is_some() {
            return Err(Errno::EEXIST);
        }
        let index = self.next;
        self.next += 1;
        self.by_index.insert(index, link);
        Ok(index)
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Link> {
        self.by_index.remove(&index)
    }

    /// The tunnel with these outer addresses.
    pub(crate) fn tunnel_between(&self, local: std::net::Ipv4Addr, remote: std::net::Ipv4Addr) -> Option<u32> {
        let same = |link: &Link| {
            link.tunnel().is_some_and(|tunnel| (tunnel.spec.local, tunnel.spec.remote) == (local, remote))
        };
        self.iter().find(|(_, link)| same(link)).map(|(index, _)| index)
    }
}

/// What a name must be (`dev_valid_name`, and the length that the attribute's policy allows).
fn check_name(name: &str) -> Result<(), Errno> {
    if name.len() > 15 {
        return Err(Errno::ERANGE);
    }
    let wrong = |byte: u8| byte == b'/' || byte == b':' || byte.is_ascii_whitespace();
    if name.is_empty() || name == "." || name == ".." || name.bytes().any(wrong) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

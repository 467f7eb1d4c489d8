//! The agent's part of a kernel's state, by names instead of kernel numbers.
//!
//! The same type says what shall be (worked out in [`super::desired`]) and what is (read in [`super::kernel`]), so that
//! [`super::diff`] compares like with like. Things of others are not in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;

use crate::config::IfName;

/// All that the agent answers for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Kernel parameters by their path below `/proc/sys`.
    pub sysctls: BTreeMap<String, String>,
    /// Loopbacks and tunnels.
    pub links: BTreeMap<IfName, Link>,
    /// Addresses of interfaces, of ports too.
    pub addresses: BTreeSet<Address>,
    /// Routes by what makes them one to the kernel.
    pub routes: BTreeMap<RouteKey, Route>,
    /// Rules that choose tables.
    pub rules: BTreeSet<Rule>,
    /// What may come in by each tunnel.
    pub ingress: BTreeMap<IfName, Ingress>,
    /// Where group traffic goes.
    pub groups: BTreeMap<Flow, Forwarding>,
}

/// What may come in by an interface; everything else is dropped and counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// Sources that may send.
    pub sources: BTreeSet<Ipv4Addr>,
    /// Groups that may be sent to.
    pub groups: BTreeSet<Ipv4Addr>,
}

/// One source's packets to one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// To whom.
    pub group: Ipv4Addr,
    /// From whom.
    pub source: Ipv4Addr,
}

/// The way of a flow through the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// The one interface it is taken from.
    pub from: IfName,
    /// Where it goes out.
    pub to: BTreeSet<IfName>,
}

impl State {
    /// Forgets what the kernel forgets of an interface that is removed.
    pub(super) fn forget_interface(&mut self, name: &IfName) {
        self.addresses.retain(|address| address.interface != *name);
        self.routes.retain(|_, route| route.interface != *name);
        self.groups.retain(|_, way| way.from != *name);
        self.groups.values_mut().for_each(|way| {
            way.to.remove(name);
        });
    }
}

/// An interface that the agent makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Holds an address.
    Loopback {
        /// Set up; always so where it is wanted.
        up: bool,
    },
    /// A GRE tunnel.
    Tunnel {
        /// What cannot be changed once it exists.
        outer: Outer,
        /// Set up; always so where it is wanted.
        up: bool,
    },
}

impl Link {
    /// True when the interface is up.
    pub fn is_up(&self) -> bool {
        match self {
            Self::Loopback { up } | Self::Tunnel { up, .. } => *up,
        }
    }
}

/// The outside of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Outer source.
    pub local: Ipv4Addr,
    /// Outer destination.
    pub remote: Ipv4Addr,
    /// Outer TTL.
    pub ttl: u8,
    /// Bytes of an inner packet at creation. A path may lower what the interface takes at the moment, so it is not
    /// compared afterwards.
    pub mtu: u16,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The interface.
    pub interface: IfName,
    /// The address with the length of its prefix.
    pub net: Ipv4Net,
}

/// What makes a route one to the kernel (the metric is always 0).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    /// The table.
    pub table: u32,
    /// To where.
    pub destination: Ipv4Net,
}

/// How a route leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// By which interface.
    pub interface: IfName,
    /// Over which neighbour; none into a tunnel.
    pub gateway: Option<Ipv4Addr>,
    /// True when the agent's mark is on it. A route in the place of one of the agent's that has another's mark was put
    /// there by hand, and is replaced.
    pub own: bool,
}

/// A rule that chooses a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Rules are tried from the lowest up.
    pub priority: u32,
    /// What came in here; `lo` for what the device itself sends.
    pub interface: String,
    /// From this source only.
    pub from: Option<Ipv4Addr>,
    /// To this destination only.
    pub to: Option<Ipv4Addr>,
    /// The table; none refuses the packet.
    pub table: Option<u32>,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: in {}", self.priority, self.interface)?;
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        match self.table {
            Some(table) => write!(f, " table {table}"),
            None => write!(f, " unreachable"),
        }
    }
}

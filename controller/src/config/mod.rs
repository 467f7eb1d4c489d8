//! The configuration of a device: typed, complete, the same bytes for the same network.
//!
//! A [`DeviceConfig`] says what shall be, in the terms of the network (users, tenants, groups, links). It knows neither
//! how it came about (that is [`crate::render`]) nor how a kernel is brought there (that is [`crate::agent`]). It has
//! two written forms: JSON, which devices fetch, and text (`Display`), which people and snapshots read.

mod hash;
mod name;
mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

pub use self::{
    hash::ConfigHash,
    name::{IfName, InvalidIfName},
};

/// MTU of user tunnels, in bytes.
pub const TUNNEL_MTU: u16 = dz_net::gre::DEFAULT_MTU as u16;

/// The VRF of unicast users without a tenant. No tenant gets it.
pub const DEFAULT_VRF: u16 = 1;

/// Whether the device serves users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum DeviceState {
    /// Not yet activated: it has interfaces and no users.
    Starting,
    /// Serves users.
    Serving,
    /// Its tunnels are shut; it carries what has no other way.
    Drained,
}

/// Everything a device is to have. Maps and sets are ordered, so equal networks give equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The device's code.
    pub device: String,
    /// Whether it serves users.
    pub state: DeviceState,
    /// Its address on the internet.
    pub public_ip: Ipv4Addr,
    /// Addresses that no cable carries: the endpoints among them.
    pub loopbacks: BTreeMap<IfName, Loopback>,
    /// Its ports. They are made by who built the device; only addresses and routes are configured.
    pub ports: BTreeMap<IfName, Port>,
    /// User tunnels by id.
    pub tunnels: BTreeMap<u16, Tunnel>,
    /// Tables of the tenants that have a unicast tunnel here, by VRF id.
    pub tables: BTreeMap<u16, Table>,
    /// For what comes over a backbone link: the way to each unicast user, whatever the tenant. Tenants were separated
    /// where the packet entered the network.
    pub transit: BTreeMap<Ipv4Addr, NextHop>,
    /// Which group traffic goes where.
    pub groups: Vec<GroupRoute>,
}

/// A loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loopback {
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// True when users' tunnels may end on it.
    pub endpoint: bool,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Its name on chain.
    pub name: String,
    /// Its address: of the link that ends here, or its own.
    pub address: Option<Ipv4Net>,
    /// True when users' tunnels may end on it.
    pub endpoint: bool,
    /// The backbone link that ends here.
    pub link: Option<LinkPort>,
}

/// A backbone link as one of its ends sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkPort {
    /// Code of the link.
    pub code: String,
    /// Code of the device at the far end.
    pub peer: String,
    /// Address of the far end.
    pub gateway: Ipv4Addr,
    /// One-way delay in microseconds, rounded up.
    pub metric: u32,
    /// Whether it carries traffic.
    pub state: LinkState,
}

/// Whether a link carries traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum LinkState {
    /// Carries traffic.
    Active,
    /// Carries only what has no other way: the link or a device at its end is drained.
    LastResort,
    /// Carries nothing: drained for good.
    Closed,
    /// Carries nothing: an end of it reports that it is broken.
    Failed,
}

impl LinkState {
    /// True when it carries anything.
    pub fn carries(self) -> bool {
        matches!(self, Self::Active | Self::LastResort)
    }
}

/// A user's tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// Address of the user's account.
    pub user: String,
    /// Outer source: the endpoint's address.
    pub source: Ipv4Addr,
    /// Outer destination: the client's address.
    pub destination: Ipv4Addr,
    /// The device's overlay address in its /31.
    pub overlay: Ipv4Net,
    /// Bytes of an inner packet.
    pub mtu: u16,
    /// Outer TTL.
    pub ttl: u8,
    /// True on a drained device: the user keeps the tunnel's numbers, and no interface is made for it.
    pub shut: bool,
    /// What it carries and who may send what into it.
    pub service: Service,
}

impl Tunnel {
    /// The client's overlay address: the other one of the /31.
    pub fn peer(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.overlay.addr()) ^ 1)
    }
}

/// What a tunnel carries. What is not said here may not enter it; addresses of the overlay may always be used between
/// the two ends of the tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Service {
    /// Unicast in a tenant's table.
    Unicast {
        /// VRF id of the table.
        vrf: u16,
        /// The one source the user may send from, and the address it is reached at.
        dz_ip: Ipv4Addr,
        /// True when the address is the device's to give, so that the device itself reaches it through the tunnel; an
        /// address of the client's own is reached over the internet, where the outer packets go.
        allocated: bool,
    },
    /// Unicast in a tenant's table, and the internet beside it: what the internet sends to the address comes in here, and
    /// what the user sends to others than users goes out here.
    EdgeFiltering {
        /// VRF id of the table.
        vrf: u16,
        /// The one source the user may send from, and the address it is reached at.
        dz_ip: Ipv4Addr,
    },
    /// Group traffic in the default table.
    Multicast {
        /// The source a publisher sends from; none for a user that publishes nothing.
        source: Option<Ipv4Addr>,
        /// Groups the user may send to, from that source.
        publish: BTreeSet<Ipv4Addr>,
        /// Groups the user gets.
        subscribe: BTreeSet<Ipv4Addr>,
    },
}

/// A tenant's table on this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Code of the tenant; none for users without one.
    pub tenant: Option<String>,
    /// The way to each of the tenant's users.
    pub routes: BTreeMap<Ipv4Addr, NextHop>,
}

/// Where a packet goes next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NextHop {
    /// Into a tunnel of this device.
    Tunnel(u16),
    /// Over a backbone link.
    Link {
        /// The port it leaves by.
        port: IfName,
        /// Address of the far end.
        gateway: Ipv4Addr,
    },
}

/// One end of group traffic through a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum GroupEnd {
    /// A tunnel of this device.
    Tunnel(u16),
    /// The port of a backbone link.
    Port(IfName),
}

impl GroupEnd {
    /// The interface.
    pub fn interface(&self) -> IfName {
        match self {
            Self::Tunnel(id) => IfName::of_tunnel(*id),
            Self::Port(name) => name.clone(),
        }
    }
}

/// The way of one source's packets to one group through this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRoute {
    /// Who sends.
    pub source: Ipv4Addr,
    /// To which group.
    pub group: Ipv4Addr,
    /// The group's code.
    pub code: String,
    /// The one interface they may come in by.
    pub from: GroupEnd,
    /// Where they go out; never where they came in.
    pub to: BTreeSet<GroupEnd>,
}

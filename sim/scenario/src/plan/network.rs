//! The network before the first step.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClientName, ContributorCode, DeviceCode, ExchangeCode, GroupCode, Ref, TenantCode};

/// A place on Earth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LatLng {
    /// Degrees north, -90 to 90.
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lng: f64,
}

/// A metro.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exchange {
    /// Name for people.
    pub name: String,
    /// Where it is.
    pub location: LatLng,
}

/// Who runs devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contributor {
    /// Its own space, of which its devices get shares.
    pub prefixes: Vec<Ipv4Net>,
    /// /24s that it gets even out of those that are kept.
    pub granted_blocks: u8,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Device {
    /// Its metro.
    pub exchange: ExchangeCode,
    /// Who runs it.
    pub contributor: ContributorCode,
    /// What it is for.
    pub device_type: DeviceType,
    /// Its address on the internet.
    pub public_ip: Ipv4Addr,
    /// True if tunnels may end on `public_ip`: it needs an endpoint interface with that address.
    pub public_ip_endpoint: bool,
    /// With what it is registered.
    pub bootstrap: Bootstrap,
    /// Maximum of users.
    pub caps: DeviceCaps,
    /// How many tunnel ids it has, from 500 on; what the program gives a device if it is not said.
    pub tunnel_slots: Option<u16>,
}

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceType {
    /// Users and backbone.
    Hybrid,
    /// Backbone only.
    Transit,
    /// Users only.
    Edge,
}

/// With what a device is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bootstrap {
    /// Nothing: a prefix is carved for it and endpoints are pulled off that.
    Carve {
        /// True when the contributor's own space will not do.
        from_block: bool,
        /// Length of the prefix.
        prefix_len: u8,
        /// How many endpoints are pulled.
        pull: u8,
    },
    /// Own prefixes, off which endpoints are pulled.
    OwnPrefix {
        /// In allocation order; never empty.
        prefixes: Vec<Ipv4Net>,
        /// How many endpoints are pulled.
        pull: u8,
    },
    /// Own termination addresses; nothing is carved or pulled.
    OwnEndpoints {
        /// Never empty.
        endpoints: Vec<OwnEndpoint>,
        /// Own prefixes that serve users' addresses only; may be empty.
        prefixes: Vec<Ipv4Net>,
    },
}

/// A termination address that a contributor brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnEndpoint {
    /// Name of the interface, such as `Loopback100` or `Ethernet2`.
    pub interface: String,
    /// Its address.
    pub address: Ipv4Addr,
}

/// Maximum of users of a device; what is not said is left to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceCaps {
    /// Of all kinds.
    pub max_users: Option<u16>,
    /// Unicast.
    pub max_unicast: Option<u16>,
    /// Multicast, subscribing only.
    pub max_subscribers: Option<u16>,
    /// Multicast, publishing.
    pub max_publishers: Option<u16>,
    /// Seats of `max_users` kept free.
    pub reserved_seats: Option<u16>,
}

/// A user's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Client {
    /// The metro it stands in.
    pub exchange: ExchangeCode,
    /// Its public address.
    pub client_ip: Ipv4Addr,
    /// The translator it is behind, if its host does not have that address itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat: Option<Nat>,
    /// Its access pass; `None` means that it has none.
    pub pass: Option<AccessPass>,
    /// Where its programs run in the real world.
    pub hosted: Hosted,
}

/// Where the programs of a client run in the real world. Its namespace, its tunnels and its daemon are its own in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hosted {
    /// Each in a process of its own, with its own way to the ledger.
    #[default]
    Alone,
    /// With those of other clients in the simulator's process, and with one way to the ledger for all: for many hundred
    /// clients, whose processes would take the whole machine.
    Shared,
}

impl Client {
    /// Its public address if it is a translator's: one that its host cannot find out.
    pub fn behind(&self) -> Option<Ipv4Addr> {
        self.nat.as_ref().map(|_| self.client_ip)
    }

    /// The address of its host's way to the internet.
    pub fn host_ip(&self) -> Ipv4Addr {
        self.nat.as_ref().map_or(self.client_ip, |nat| nat.inside)
    }
}

/// A client's place behind a translator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nat {
    /// The client's address there.
    pub inside: Ipv4Addr,
    /// What the translator lets in.
    pub lets_in: NatFilter,
}

/// Which packets of the internet a translator lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NatFilter {
    /// Whatever is for a port that is mapped.
    FullCone,
    /// Only from where the mapped port has sent to.
    PortRestricted,
}

/// Who may connect, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessPass {
    /// True if the pass is for any address (0.0.0.0) instead of the client's own.
    pub any_ip: bool,
    /// Maximum of unicast users at a time.
    pub max_unicast: u16,
    /// The most multicast users at a time.
    pub max_multicast: u16,
    /// The last epoch in which unicast users may be created; `u64::MAX` is for ever.
    pub last_epoch: u64,
    /// Tenants its unicast users may be in.
    pub tenants: BTreeSet<TenantCode>,
    /// Groups it may publish to.
    pub publish: BTreeSet<GroupCode>,
    /// Groups it may subscribe to.
    pub subscribe: BTreeSet<GroupCode>,
}

/// A tenant. Who is in it, the passes say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tenant {}

/// A multicast group. Who may do what, the passes say too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Clients that may publish to it.
    pub publishers: BTreeSet<ClientName>,
    /// Clients that may subscribe to it.
    pub subscribers: BTreeSet<ClientName>,
}

/// A backbone link between two devices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Side A.
    pub a: DeviceCode,
    /// Side Z; never the same as `a`.
    pub z: DeviceCode,
    /// Name of side A's physical interface, unique on its device.
    pub a_interface: String,
    /// Name of side Z's physical interface, unique on its device.
    pub z_interface: String,
    /// One way.
    pub delay: Delay,
    /// How far single packets stray from the delay.
    pub jitter: Duration,
    /// Packets lost, in millionths.
    pub loss_ppm: u32,
    /// Bits per second.
    pub rate_bps: u64,
    /// MTU, in octets.
    pub mtu: u16,
}

/// How long a packet takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// As far apart as the metros are.
    ByDistance,
    /// So long, one way.
    Fixed(Duration),
}

/// An exception to the geography of the simulated internet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathRule {
    /// Packets from here: a client or a device.
    pub from: PathEnd,
    /// Packets to here.
    pub to: PathEnd,
    /// True if it holds for packets from `to` to `from` as well; never with a single address.
    pub both_ways: bool,
    /// How they fare.
    pub condition: Condition,
}

/// One end of public paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathEnd {
    /// A client's address.
    Client(ClientName),
    /// All addresses of a device: `public_ip`, prefixes and endpoints.
    Device(DeviceCode),
    /// One address.
    Address(Ipv4Addr),
    /// An address that is known once the network is up.
    Ref(Ref),
}

/// How packets fare; what is `None` stays as it is without the rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// True if nothing passes; the rest is then moot.
    pub blocked: bool,
    /// One way.
    pub delay: Option<Duration>,
    /// How far single packets stray from the delay.
    pub jitter: Option<Duration>,
    /// Packets lost, in millionths.
    pub loss_ppm: Option<u32>,
    /// Packets that overtake others, in millionths.
    pub reorder_ppm: Option<u32>,
    /// Packets that arrive twice, in millionths.
    pub duplicate_ppm: Option<u32>,
    /// Bits per second.
    pub rate_bps: Option<u64>,
    /// MTU, in octets.
    pub mtu: Option<u16>,
    /// True if nobody reports that a packet was larger than that.
    pub black_hole: bool,
    /// The IP protocol of the packets that are meant; `None` is all.
    pub protocol: Option<u8>,
}

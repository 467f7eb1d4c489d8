//! Views of the network, places in them, references to values in them, and what they are compared with.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{ClientName, DeviceCode, GroupCode};

/// What can be looked at. `as_str` of the last word is how a scenario writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// `<client>.tunnels`: the daemon's tunnels, in order of their names.
    ClientTunnels(ClientName),
    /// `<client>.status`: `doublezero status --json`.
    ClientStatus(ClientName),
    /// `<client>.latency`: the daemon's measurements, in order of device and address.
    ClientLatency(ClientName),
    /// `<client>.routes`: routes the daemon installed.
    ClientRoutes(ClientName),
    /// `<client>.kernel`: interfaces, addresses, rules and routes of the namespace.
    ClientKernel(ClientName),
    /// `<device>.endpoints`: the endpoint table, addresses in order.
    DeviceEndpoints(DeviceCode),
    /// `<device>.tunnels`: tunnels in the device's kernel, in order of their names.
    DeviceTunnels(DeviceCode),
    /// `<device>.config`: the configuration rendered for it.
    DeviceConfig(DeviceCode),
    /// `<device>.kernel`: interfaces, addresses, rules and routes of the namespace.
    DeviceKernel(DeviceCode),
    /// `chain.config`: the global configuration.
    ChainConfig,
    /// `chain.pools`: by name, each with its size and use.
    ChainPools,
    /// `chain.contributors`, by code.
    ChainContributors,
    /// `chain.exchanges`, by code.
    ChainExchanges,
    /// `chain.devices`, by code.
    ChainDevices,
    /// `chain.interfaces`, by `<device>:<name>`.
    ChainInterfaces,
    /// `chain.links`, by code.
    ChainLinks,
    /// `chain.tenants`, by code.
    ChainTenants,
    /// `chain.passes`, by client_ip.
    ChainPasses,
    /// `chain.groups`, by code.
    ChainGroups,
    /// `chain.users`, in order of (client_ip, endpoint_ip).
    ChainUsers,
}

/// The last words of the views of a client.
pub(crate) const CLIENT_VIEWS: [&str; 5] = ["tunnels", "status", "latency", "routes", "kernel"];
/// The last words of the views of a device.
pub(crate) const DEVICE_VIEWS: [&str; 4] = ["endpoints", "tunnels", "config", "kernel"];
/// The last words of the views of the chain.
pub(crate) const CHAIN_VIEWS: [&str; 11] = [
    "config",
    "pools",
    "contributors",
    "exchanges",
    "devices",
    "interfaces",
    "links",
    "tenants",
    "passes",
    "groups",
    "users",
];

impl View {
    pub(crate) fn of_client(client: ClientName, word: &str) -> Option<Self> {
        Some(match word {
            "tunnels" => Self::ClientTunnels(client),
            "status" => Self::ClientStatus(client),
            "latency" => Self::ClientLatency(client),
            "routes" => Self::ClientRoutes(client),
            "kernel" => Self::ClientKernel(client),
            _ => return None,
        })
    }

    pub(crate) fn of_device(device: DeviceCode, word: &str) -> Option<Self> {
        Some(match word {
            "endpoints" => Self::DeviceEndpoints(device),
            "tunnels" => Self::DeviceTunnels(device),
            "config" => Self::DeviceConfig(device),
            "kernel" => Self::DeviceKernel(device),
            _ => return None,
        })
    }

    pub(crate) fn of_chain(word: &str) -> Option<Self> {
        Some(match word {
            "config" => Self::ChainConfig,
            "pools" => Self::ChainPools,
            "contributors" => Self::ChainContributors,
            "exchanges" => Self::ChainExchanges,
            "devices" => Self::ChainDevices,
            "interfaces" => Self::ChainInterfaces,
            "links" => Self::ChainLinks,
            "tenants" => Self::ChainTenants,
            "passes" => Self::ChainPasses,
            "groups" => Self::ChainGroups,
            "users" => Self::ChainUsers,
            _ => return None,
        })
    }
}

/// A place in a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewPath {
    /// The path as it is written, for messages.
    pub text: String,
    /// The view.
    pub view: View,
    /// The way from its root.
    pub rest: Vec<Segment>,
}

/// One step of the way into a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Key of a table. In a list of tables: the one whose `name` or `code` it is.
    Key(String),
    /// Element of a list, from 0.
    Index(usize),
    /// `count`: how many elements or keys there are.
    Count,
}

/// A value that is known once the network is up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ref {
    /// `<device>.endpoints.<n>`: an address of the device's endpoint table, from 0.
    Endpoint {
        /// The device.
        device: DeviceCode,
        /// From 0.
        index: usize,
    },
    /// `<device>.prefixes.<n>`: a prefix of the device, from 0.
    Prefix {
        /// The device.
        device: DeviceCode,
        /// From 0.
        index: usize,
    },
    /// `<client>.dz_ip.<tunnel>`: the client's address in that tunnel; `<client>.dz_ip` is that of doublezero0.
    DzIp {
        /// The client.
        client: ClientName,
        /// The tunnel interface.
        tunnel: String,
    },
    /// `<client>.endpoint.<tunnel>`: the address the client's tunnel ends on.
    TunnelEndpoint {
        /// The client.
        client: ClientName,
        /// The tunnel interface.
        tunnel: String,
    },
    /// `<group>.ip`: the address of a multicast group.
    GroupIp(GroupCode),
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint { device, index } => write!(f, "{device}.endpoints.{index}"),
            Self::Prefix { device, index } => write!(f, "{device}.prefixes.{index}"),
            Self::DzIp { client, tunnel } => write!(f, "{client}.dz_ip.{tunnel}"),
            Self::TunnelEndpoint { client, tunnel } => write!(f, "{client}.endpoint.{tunnel}"),
            Self::GroupIp(group) => write!(f, "{group}.ip"),
        }
    }
}

/// A sign and a value that another is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bound<T> {
    /// The sign.
    pub comparison: Comparison,
    /// The value on its right.
    pub value: T,
}

impl<T: PartialOrd> Bound<T> {
    /// Whether `actual` stands in the relation to the value.
    pub fn holds(&self, actual: &T) -> bool {
        match self.comparison {
            Comparison::Equal => *actual == self.value,
            Comparison::NotEqual => *actual != self.value,
            Comparison::Less => *actual < self.value,
            Comparison::AtMost => *actual <= self.value,
            Comparison::More => *actual > self.value,
            Comparison::AtLeast => *actual >= self.value,
        }
    }
}

impl<T: fmt::Display> fmt::Display for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.comparison, self.value)
    }
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `=`
    #[strum(serialize = "=")]
    Equal,
    /// `!=`
    #[strum(serialize = "!=")]
    NotEqual,
    /// `<`
    #[strum(serialize = "<")]
    Less,
    /// `<=`
    #[strum(serialize = "<=")]
    AtMost,
    /// `>`
    #[strum(serialize = ">")]
    More,
    /// `>=`
    #[strum(serialize = ">=")]
    AtLeast,
}

/// What a value must be like.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Null, or not there at all.
    Null,
    /// This truth value.
    Bool(bool),
    /// This number.
    Int(i128),
    /// This number.
    Float(f64),
    /// This text.
    Text(String),
    /// What the reference stands for when the step runs.
    Ref(Ref),
    /// A number in this relation; from a text such as `">= 1"`.
    Number(Bound<i128>),
    /// A duration in this relation, compared with a number of nanoseconds; from a text such as `"< 30ms"`.
    Duration(Bound<Duration>),
    /// A table that has at least these keys.
    Table(BTreeMap<String, Match>),
    /// A list of these elements, in this order, and no others.
    List(Vec<Match>),
    /// `{ contains: … }`: a list with an element for each of these, or a text with this text in it.
    Contains(Vec<Match>),
    /// `{ count: … }`: a list or table of so many.
    Count(Bound<u64>),
    /// `{ matches: … }`: a text that the expression matches somewhere.
    Matches(Pattern),
    /// `{ any_of: […] }`: one of these.
    AnyOf(Vec<Match>),
    /// `{ not: … }`: anything else, or nothing.
    Not(Box<Match>),
    /// `{ exists: true }`: anything but null.
    Exists,
}

/// A regular expression that compiles.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Pattern {
    text: String,
    #[serde(skip)]
    regex: regex::Regex,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, regex::Error> {
        Ok(Self { text: text.to_owned(), regex: regex::Regex::new(text)? })
    }

    /// The expression as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches somewhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

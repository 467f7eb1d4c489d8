//! Views of the network, places in them, references to values in them, and what they are compared with.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{ClientName, DeviceCode, GroupCode};

/// What can be looked at; what each shows stands in the tables below.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// `<client>.tunnels`
    ClientTunnels(ClientName),
    /// `<client>.status`
    ClientStatus(ClientName),
    /// `<client>.latency`
    ClientLatency(ClientName),
    /// `<client>.routes`
    ClientRoutes(ClientName),
    /// `<client>.kernel`
    ClientKernel(ClientName),
    /// `<device>.endpoints`
    DeviceEndpoints(DeviceCode),
    /// `<device>.tunnels`
    DeviceTunnels(DeviceCode),
    /// `<device>.config`
    DeviceConfig(DeviceCode),
    /// `<device>.kernel`
    DeviceKernel(DeviceCode),
    /// `chain.config`
    ChainConfig,
    /// `chain.pools`
    ChainPools,
    /// `chain.contributors`
    ChainContributors,
    /// `chain.exchanges`
    ChainExchanges,
    /// `chain.devices`
    ChainDevices,
    /// `chain.interfaces`
    ChainInterfaces,
    /// `chain.links`
    ChainLinks,
    /// `chain.tenants`
    ChainTenants,
    /// `chain.passes`
    ChainPasses,
    /// `chain.groups`
    ChainGroups,
    /// `chain.users`
    ChainUsers,
    /// `run.faults`
    RunFaults,
}

/// Last words, views, and what they show.
type Views<V, const N: usize> = [(&'static str, V, &'static str); N];

/// The views of a client: the last word, the view, and what it shows.
pub(crate) const CLIENT_VIEWS: Views<fn(ClientName) -> View, 5> = [
    ("tunnels", View::ClientTunnels, "the daemon's tunnels, in order of their names"),
    ("status", View::ClientStatus, "what `doublezero status --json` prints"),
    ("latency", View::ClientLatency, "the daemon's measurements, in order of device and address"),
    ("routes", View::ClientRoutes, "routes the daemon installed"),
    ("kernel", View::ClientKernel, "interfaces, addresses, rules and routes of the namespace"),
];

/// The views of a device: the last word, the view, and what it shows.
pub(crate) const DEVICE_VIEWS: Views<fn(DeviceCode) -> View, 4> = [
    ("endpoints", View::DeviceEndpoints, "the endpoint table, addresses in order"),
    ("tunnels", View::DeviceTunnels, "tunnels in the device's kernel, in order of their names"),
    ("config", View::DeviceConfig, "the configuration rendered for it"),
    ("kernel", View::DeviceKernel, "interfaces, addresses, rules and routes of the namespace"),
];

/// The views of the chain: the last word, the view, and what it shows.
pub(crate) const CHAIN_VIEWS: Views<View, 11> = [
    ("config", View::ChainConfig, "the global configuration"),
    ("pools", View::ChainPools, "pools by name, each with its `capacity`, `used` and `free`"),
    ("contributors", View::ChainContributors, "contributors by code"),
    ("exchanges", View::ChainExchanges, "metros by code"),
    ("devices", View::ChainDevices, "devices by code"),
    ("interfaces", View::ChainInterfaces, "interfaces by `<device>:<name>`"),
    ("links", View::ChainLinks, "links by code"),
    ("tenants", View::ChainTenants, "tenants by code"),
    ("passes", View::ChainPasses, "access passes by client_ip"),
    ("groups", View::ChainGroups, "multicast groups by code"),
    ("users", View::ChainUsers, "users in order of (client_ip, endpoint_ip)"),
];

/// The views of the run itself: the last word, the view, and what it shows.
pub(crate) const RUN_VIEWS: Views<View, 1> = [(
    "faults",
    View::RunFaults,
    "the faults so far by their titles, each with its `hits`: packets, notifications, reads or sends; 1 for what dies or is \
     set down",
)];

impl View {
    pub(crate) fn of_client(client: ClientName, word: &str) -> Option<Self> {
        CLIENT_VIEWS.iter().find(|(known, ..)| *known == word).map(|(_, view, _)| view(client))
    }

    pub(crate) fn of_device(device: DeviceCode, word: &str) -> Option<Self> {
        DEVICE_VIEWS.iter().find(|(known, ..)| *known == word).map(|(_, view, _)| view(device))
    }

    pub(crate) fn of_chain(word: &str) -> Option<Self> {
        CHAIN_VIEWS.into_iter().find(|(known, ..)| *known == word).map(|(_, view, _)| view)
    }

    pub(crate) fn of_run(word: &str) -> Option<Self> {
        RUN_VIEWS.into_iter().find(|(known, ..)| *known == word).map(|(_, view, _)| view)
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
    /// `<client>.key`: the key that pays for what the client asks for.
    Key(ClientName),
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint { device, index } => write!(f, "{device}.endpoints.{index}"),
            Self::Prefix { device, index } => write!(f, "{device}.prefixes.{index}"),
            Self::DzIp { client, tunnel } => write!(f, "{client}.dz_ip.{tunnel}"),
            Self::TunnelEndpoint { client, tunnel } => write!(f, "{client}.endpoint.{tunnel}"),
            Self::GroupIp(group) => write!(f, "{group}.ip"),
            Self::Key(client) => write!(f, "{client}.key"),
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
    /// `{ count: … }`: a list or table of this length.
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

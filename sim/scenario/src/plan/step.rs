//! Steps.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use serde::Serialize;

use super::{
    Bound, ClientName, ContributorCode, DeviceCode, Fault, GroupCode, Healing, LinkCode, Match, Node, Pattern, Ref,
    TenantCode, ViewPath,
};

/// One step and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Line of the file, from 1.
    pub line: usize,
    /// Column of that line, from 1.
    #[serde(skip)]
    pub column: usize,
    /// Title in reports.
    pub title: String,
    /// How long it may take.
    pub deadline: Duration,
    /// Name under which what it found is measured; empty if it is not.
    pub record: String,
    /// The time in which a fault happens at a random moment; zero is at once.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub random_within: Duration,
    /// A fault waits until this number of further transactions has landed; 0 is at once.
    #[serde(skip_serializing_if = "is_zero")]
    pub after_transactions: u32,
    /// A fault waits until this number of further packets was carried; 0 is at once.
    #[serde(skip_serializing_if = "is_zero")]
    pub after_packets: u32,
    /// True if a fault may have hit nothing when it ends.
    pub idle_allowed: bool,
    /// How often the fault that is healed must have made a difference; `None` is at least once, or as it allows.
    pub hits: Option<Bound<u64>>,
    /// What is done.
    pub action: Action,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A command.
    Run(Run),
    /// Views that hold what is expected, all at the same time.
    Expect {
        /// In the order of their paths; never empty.
        expectations: Vec<Expectation>,
        /// How long it must stay so; zero is not at all.
        stays: Duration,
    },
    /// ICMP echo.
    Ping(Ping),
    /// UDP datagrams.
    Send(Send),
    /// An application on the client joins the group until it leaves or the scenario ends.
    Join {
        /// Where.
        client: ClientName,
        /// What.
        group: GroupCode,
    },
    /// The application leaves it.
    Leave {
        /// Where.
        client: ClientName,
        /// What.
        group: GroupCode,
    },
    /// Packets that the simulated internet has carried.
    Traffic(Traffic),
    /// Something breaks.
    Fault(Fault),
    /// A fault ends.
    Heal(Healing),
    /// Time passes on the chain until this epoch has begun.
    Epoch(u64),
    /// Views compared with files.
    Snapshot {
        /// Which; never empty.
        views: BTreeSet<Snapshot>,
        /// Last part of the snapshots' names, unique in the scenario.
        name: String,
    },
    /// Values that are recorded, by name.
    Measure {
        /// Where each is found; never empty.
        measures: BTreeMap<String, ViewPath>,
    },
    /// Steps until one of their commands is refused.
    UntilRefused {
        /// What the number of commands before is called.
        measure: String,
        /// In order; never empty.
        steps: Vec<Step>,
    },
    /// Lists of steps that happen at the same time.
    Parallel {
        /// Each happens in order; never empty.
        branches: Vec<Vec<Step>>,
        /// How many of them succeed; `None` is all.
        succeed: Option<Bound<u64>>,
    },
}

/// A command that is run and waited for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Where.
    pub on: Node,
    /// Whose key it has; `None` is that of the node's user.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Which program.
    #[serde(skip_serializing_if = "Program::is_ours")]
    pub program: Program,
    /// Program and arguments, as they are typed.
    pub argv: Vec<Arg>,
    /// How it must end.
    pub exit: ExitCode,
    /// What standard output must be like.
    pub stdout: TextMatch,
    /// What standard error must be like.
    pub stderr: TextMatch,
    /// What standard output must hold as JSON.
    pub json: Output,
}

/// Somebody with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The foundation.
    Foundation,
    /// A contributor.
    Contributor(ContributorCode),
    /// The administrator of a tenant.
    Tenant(TenantCode),
    /// A client's user.
    Client(ClientName),
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// `doublezero`.
    DoubleZero,
    /// The program at this path, from the folder of the scenario file.
    Own(String),
}

impl Program {
    fn is_ours(&self) -> bool {
        *self == Self::DoubleZero
    }
}

/// Whether standard output is read as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// It is not.
    Unread,
    /// It is, and must be like this.
    Json(Match),
}

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg {
    /// As it is.
    Text(String),
    /// What the reference stands for when the step runs.
    Ref(Ref),
}

/// How a command must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitCode {
    /// With this code.
    Code(u8),
    /// With any code but 0.
    Failure,
    /// With any code.
    Any,
}

/// What a text must be like; everything holds for an empty one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TextMatch {
    /// Texts that occur in it.
    pub contains: Vec<String>,
    /// Texts that do not occur in it.
    pub lacks: Vec<String>,
    /// Expressions that match somewhere in it.
    pub matches: Vec<Pattern>,
}

/// A place in a view, and what must be there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expectation {
    /// Where to look.
    pub path: ViewPath,
    /// What must be there.
    pub expected: Match,
}

/// ICMP echo requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ping {
    /// A client or a device.
    pub from: Node,
    /// Whom.
    pub to: Target,
    /// Through what.
    pub via: Via,
    /// Source address; `None` is what the routes say.
    pub source: Option<Target>,
    /// Requests, at least 1. With steps in `meanwhile` the ping goes on until those end, and this is the least.
    pub count: u16,
    /// Between two requests.
    pub interval: Duration,
    /// Octets of data in a request.
    pub size: u16,
    /// True if fragments are forbidden.
    pub dont_fragment: bool,
    /// How many answers must come; `None` is one for each request.
    pub received: Option<Bound<u64>>,
    /// What every round trip must be like; `None` is anything.
    pub rtt: Option<Bound<Duration>>,
    /// The MTU an ICMP "fragmentation needed" must report; `None` is not looked at.
    pub too_big: Option<u16>,
    /// The number of the flow its packets are; 0 is that of all without a name.
    pub flow: u16,
    /// Steps that happen while it runs.
    pub meanwhile: Vec<Step>,
}

/// Through which interface packets leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// What the routes say.
    Routes,
    /// This tunnel interface.
    Tunnel(String),
}

/// Whom packets are sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A device: the far end of the tunnel they are sent through, else its `public_ip`.
    Device(DeviceCode),
    /// A client: its address in DoubleZero.
    Client(ClientName),
    /// A multicast group.
    Group(GroupCode),
    /// An address.
    Address(Ipv4Addr),
    /// An address that is known once the network is up.
    Ref(Ref),
}

/// UDP datagrams.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Send {
    /// Who.
    pub from: ClientName,
    /// Whom.
    pub to: Target,
    /// Through what.
    pub via: Via,
    /// Source address; `None` is the sender's address in DoubleZero.
    pub source: Option<Target>,
    /// Datagrams, at least 1. With steps in `meanwhile` it goes on until those end, and this is the least.
    pub count: u16,
    /// Between two datagrams.
    pub interval: Duration,
    /// Octets of data in a datagram.
    pub size: u16,
    /// Clients that listen and get every datagram once.
    pub received_by: BTreeSet<ClientName>,
    /// Clients that listen and get none.
    pub not_received_by: BTreeSet<ClientName>,
    /// Whether each is wrapped in GRE by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gre: Option<Forged>,
    /// True if a datagram may come twice.
    pub duplicates_allowed: bool,
    /// The number of the flow its packets are; 0 is that of all without a name.
    pub flow: u16,
    /// Steps that happen while it runs.
    pub meanwhile: Vec<Step>,
}

/// A GRE packet that is made by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forged {
    /// Outer destination.
    pub to: Target,
    /// Outer source; `None` is the sender's own address.
    pub source: Option<Target>,
    /// Its key.
    pub key: Option<u32>,
    /// Octets that the packet is cut to, at least those of its header.
    pub cut: Option<u16>,
}

/// Packets, by their outer header.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Traffic {
    /// Their source.
    pub from: TrafficEnd,
    /// Their destination.
    pub to: TrafficEnd,
    /// Their protocol.
    pub protocol: Protocol,
    /// The backbone link they are counted on; `None` is the simulated internet.
    pub link: Option<LinkCode>,
    /// The flow they are of; `None` is any.
    pub flow: Option<u16>,
    /// True if the products' probes count, too.
    pub probes: bool,
    /// How many.
    pub packets: Bound<u64>,
    /// From when on.
    pub since: Since,
}

/// Source or destination of packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficEnd {
    /// Anything.
    Any,
    /// A client's public address.
    Client(ClientName),
    /// Any address of a device.
    Device(DeviceCode),
    /// One address.
    Address(Ipv4Addr),
    /// An address that is known once the network is up.
    Ref(Ref),
}

/// Protocol of the outer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// All.
    Any,
    /// 47.
    Gre,
    /// 1.
    Icmp,
    /// 17.
    Udp,
    /// 6.
    Tcp,
}

/// From when on packets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The start of the last step that was no expectation and no snapshot.
    PreviousAction,
    /// The start of the scenario.
    Start,
}

/// A view that is compared as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Snapshot {
    /// All accounts.
    Chain,
    /// The rendered configuration of every device.
    Config,
    /// `doublezero status` of every client.
    Status,
    /// Interfaces, addresses, rules and routes of every node.
    Kernel,
    /// Exit code and output of the last command.
    Output,
}

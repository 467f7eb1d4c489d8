//! Steps that inflict faults and heal them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Address, Bound, Duration, OneOrMany, Percent, Protocol, Rate};

/// The word `allowed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Allowed {
    /// It is no failure.
    Allowed,
}

/// Breaks something, until it is healed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultStep {
    /// What breaks, and how.
    pub(crate) fault: Fault,
    /// `allowed` if the fault may hit nothing; else a fault that has hit nothing when it ends fails the scenario.
    pub(crate) idle: Option<Allowed>,
    /// It happens at a moment in this time from the start of the step, drawn from the seed. Default: at once.
    pub(crate) random_within: Option<Duration>,
    /// Only once this number of further transactions has landed. Default: 0, at once.
    #[serde(default)]
    pub(crate) after_transactions: u32,
    /// Only once the simulated internet and the links have carried this number of further packets, probes left out.
    /// Default: 0, at once.
    #[serde(default)]
    pub(crate) after_packets: u32,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// A fault: the key `link`, `path`, `node`, `interface`, `process`, `ledger`, `client` or `clock` says of what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(untagged)]
pub(crate) enum Fault {
    Link(LinkFault),
    Path(PathFault),
    Node(NodeFault),
    Interface(InterfaceFault),
    Process(ProcessFaultTable),
    Ledger(LedgerFaultTable),
    Client(ClientFault),
    Clock(ClockFault),
}

/// A table with keys of its own and those that say how packets fare.
macro_rules! with_condition {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)+
            /// One way.
            #[serde(default)]
            pub(crate) delay: Option<Duration>,
            /// How far single packets stray from the delay.
            #[serde(default)]
            pub(crate) jitter: Option<Duration>,
            /// Share of packets lost.
            #[serde(default)]
            pub(crate) loss: Option<Percent>,
            /// Share of packets that overtake others.
            #[serde(default)]
            pub(crate) reorder: Option<Percent>,
            /// Share of packets that arrive twice.
            #[serde(default)]
            pub(crate) duplicate: Option<Percent>,
            /// The most that passes.
            #[serde(default)]
            pub(crate) rate: Option<Rate>,
            /// MTU, in octets.
            #[serde(default)]
            pub(crate) mtu: Option<u16>,
            /// True if nobody reports that a packet was larger than `mtu`. Default: false.
            #[serde(default)]
            pub(crate) black_hole: bool,
            /// Only packets of this outer protocol are meant. Default: any.
            #[serde(default)]
            pub(crate) protocol: Protocol,
        }

        impl $name {
            /// The part that says how packets fare.
            pub(crate) fn condition(&self) -> Condition {
                Condition {
                    delay: self.delay,
                    jitter: self.jitter,
                    loss: self.loss,
                    reorder: self.reorder,
                    duplicate: self.duplicate,
                    rate: self.rate,
                    mtu: self.mtu,
                    black_hole: self.black_hole,
                    protocol: self.protocol,
                }
            }
        }
    };
}

/// How packets fare on a path or link; what is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) delay: Option<Duration>,
    pub(crate) jitter: Option<Duration>,
    pub(crate) loss: Option<Percent>,
    pub(crate) reorder: Option<Percent>,
    pub(crate) duplicate: Option<Percent>,
    pub(crate) rate: Option<Rate>,
    pub(crate) mtu: Option<u16>,
    pub(crate) black_hole: bool,
    pub(crate) protocol: Protocol,
}

with_condition! {
    /// A backbone link carries nothing, or what the other keys say.
    LinkFault {
        /// Code of the link.
        link: String,
    }
}

with_condition! {
    /// A public path carries nothing, or what the other keys say.
    PathFault {
        /// Both ends.
        path: Ends,
    }
}

/// Both ends of a public path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ends {
    /// A client or a device.
    pub(crate) from: String,
    /// A client, a device, an address, or one endpoint such as `nyc1.endpoints.1`; the last two only with `one_way`.
    pub(crate) to: String,
    /// True if only packets from `from` to `to` are meant. Default: false.
    #[serde(default)]
    pub(crate) one_way: bool,
}

/// A node is cut off, or reboots.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeFault {
    /// A client or a device.
    pub(crate) node: String,
    /// Default: unplug.
    #[serde(default)]
    pub(crate) how: NodeFaultKind,
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NodeFaultKind {
    /// Its uplink and links carry nothing.
    #[default]
    Unplug,
    /// It loses its processes, tunnels, routes and addresses, and starts again at once.
    Reboot,
}

/// An interface of a device, set down in its kernel as by an operator who is logged in there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InterfaceFault {
    /// Device and interface, such as `nyc1:Loopback100` or `nyc1:Ethernet1/2`.
    pub(crate) interface: String,
}

/// A process dies or halts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessFaultTable {
    /// `activator`, `activator2` and so on, `controller`, `<client>.daemon`, `<device>.agent`, or `<node>.gre`.
    pub(crate) process: String,
    /// Default: kill.
    #[serde(default)]
    pub(crate) how: ProcessFault,
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProcessFault {
    /// SIGKILL; it stays away until it is healed.
    #[default]
    Kill,
    /// SIGTERM; it stays away until it is healed.
    Terminate,
    /// SIGSTOP; it halts until it is healed.
    Pause,
    /// SIGKILL, and at once a new one.
    Restart,
}

/// The ledger misbehaves.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LedgerFaultTable {
    /// How.
    pub(crate) ledger: LedgerFault,
    /// Only towards these clients, devices, `activator` or `controller`. Default: all.
    #[serde(default)]
    pub(crate) on: OneOrMany<String>,
    /// How much later answers and notifications come; only with `slow`. Default there: 200ms.
    pub(crate) delay: Option<Duration>,
    /// Which share of notifications or sends is hit; not with `slow` and `outage`. Default: 100%.
    pub(crate) share: Option<Percent>,
    /// How many slots old reads are with `stale_reads`, or how many are lost with `lost_slots`. Default there: 5 and 1.
    pub(crate) slots: Option<u64>,
}

/// How the ledger misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LedgerFault {
    /// Nothing is answered and subscriptions break.
    Outage,
    /// Answers and notifications come late.
    Slow,
    /// Notifications do not come.
    LostNotifications,
    /// Notifications come twice.
    DuplicatedNotifications,
    /// Reads answer with an older state.
    StaleReads,
    /// Transactions are refused.
    RefusedSends,
    /// The chain goes on from an earlier slot: the last slots are as if they had never been. There is nothing to heal.
    LostSlots,
}

/// A client's host gets another public address. There is nothing to heal; `<client>.client_ip` stays the address it began with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientFault {
    /// The client; none behind a translator.
    pub(crate) client: String,
    /// The address, which nobody else has.
    pub(crate) public_ip: Address,
}

/// A client's clock is set; in the virtual world only.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockFault {
    /// The client.
    pub(crate) clock: String,
    /// How far.
    pub(crate) by: Duration,
    /// True to set it back by that much, false to set it forward. Default: false.
    #[serde(default)]
    pub(crate) back: bool,
}

/// Ends a fault.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealStep {
    /// `all`, or a table that names what a fault named, such as `{ link: nyc1-pit1 }`. It must be broken.
    pub(crate) heal: Heal,
    /// How often the fault must have made a difference while it lasted: packets, notifications, reads or sends that it
    /// hit; 1 for what is killed or set down. Default: ">= 1".
    pub(crate) hits: Option<Bound>,
    /// Title in reports.
    pub(crate) name: Option<String>,
}

/// What is healed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(untagged)]
pub(crate) enum Heal {
    #[schemars(with = "AllWord")]
    All,
    Link(HealLink),
    Path(HealPath),
    Node(HealNode),
    Interface(HealInterface),
    Process(HealProcess),
    Ledger(HealLedger),
    Clock(HealClock),
}

/// The word `all`.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
#[allow(dead_code, reason = "only its schema is used")]
enum AllWord {
    All,
}

/// Heals a link.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealLink {
    /// Code of the link.
    pub(crate) link: String,
}

/// Heals a path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealPath {
    /// Both ends, as the fault named them.
    pub(crate) path: Ends,
}

/// Plugs a node in again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealNode {
    /// A client or a device.
    pub(crate) node: String,
}

/// Sets an interface up again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealInterface {
    /// As the fault named it.
    pub(crate) interface: String,
}

/// Starts or resumes a process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealProcess {
    /// As the fault named it.
    pub(crate) process: String,
}

/// Sets a client's clock right again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealClock {
    /// The client.
    pub(crate) clock: String,
}

/// Ends one kind of ledger fault for everyone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealLedger {
    /// Which.
    pub(crate) ledger: LedgerFault,
}

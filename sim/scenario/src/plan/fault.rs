//! Faults and their repair.

use std::{collections::BTreeSet, fmt, net::Ipv4Addr, time::Duration};

use serde::Serialize;

use super::{ClientName, Condition, DeviceCode, LinkCode, Node, PathEnd};

/// Something breaks until it is healed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A backbone link.
    Link {
        /// Which.
        link: LinkCode,
        /// How packets fare on it.
        condition: Condition,
    },
    /// Public paths.
    Path {
        /// Which.
        ends: PathEnds,
        /// How packets fare on them.
        condition: Condition,
    },
    /// A client or a device.
    Node {
        /// Which.
        node: Node,
        /// How.
        fault: NodeFault,
    },
    /// An interface of a device, set down in its kernel.
    Interface(InterfaceName),
    /// A process.
    Process {
        /// Which.
        process: Process,
        /// How.
        fault: ProcessFault,
    },
    /// The ledger.
    Ledger {
        /// How.
        fault: LedgerFault,
        /// Towards whom; empty is everyone.
        towards: BTreeSet<Process>,
    },
    /// The ledger goes on from an earlier slot.
    LostSlots {
        /// How many are lost.
        slots: u64,
    },
    /// A client's public address changes: nothing to heal.
    Address {
        /// Whose.
        client: ClientName,
        /// What it is from now on.
        public_ip: Ipv4Addr,
    },
    /// A client's clock is set.
    Clock {
        /// Whose.
        client: ClientName,
        /// How far.
        by: Duration,
        /// True if it is set back.
        back: bool,
    },
}

/// Both ends of public paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathEnds {
    /// Packets from here: a client or a device.
    pub from: PathEnd,
    /// Packets to here.
    pub to: PathEnd,
    /// True if packets from `to` to `from` are meant as well; never with a single address.
    pub both_ways: bool,
}

/// An interface of a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InterfaceName {
    /// The device.
    pub device: DeviceCode,
    /// Its name on chain, such as `Loopback100`.
    pub name: String,
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.device, self.name)
    }
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeFault {
    /// Its uplink and links carry nothing.
    Unplug,
    /// It loses its processes, tunnels, routes and addresses, and starts again at once.
    Reboot,
}

/// A process of a product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Process {
    /// `activator` is number 1, `activator2` number 2, and so on.
    Activator(u8),
    /// `controller`
    Controller,
    /// `<client>.daemon`
    Daemon(ClientName),
    /// `<device>.agent`
    Agent(DeviceCode),
    /// `<node>.gre`: the helper that holds a node's tunnels.
    Gre(Node),
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activator(1) => f.write_str("activator"),
            Self::Activator(number) => write!(f, "activator{number}"),
            Self::Controller => f.write_str("controller"),
            Self::Daemon(client) => write!(f, "{client}.daemon"),
            Self::Agent(device) => write!(f, "{device}.agent"),
            Self::Gre(node) => write!(f, "{node}.gre"),
        }
    }
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessFault {
    /// SIGKILL; it stays away.
    Kill,
    /// SIGTERM; it stays away.
    Terminate,
    /// SIGSTOP.
    Pause,
    /// SIGKILL, and at once a new one: nothing to heal.
    Restart,
}

/// How the ledger misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerFault {
    /// Nothing is answered and subscriptions break.
    Outage,
    /// Answers and notifications come later.
    Slow {
        /// By so much.
        delay: Duration,
    },
    /// Notifications do not come.
    LostNotifications {
        /// Probability, ppm.
        share_ppm: u32,
    },
    /// Notifications come twice.
    DuplicatedNotifications {
        /// Probability, ppm.
        share_ppm: u32,
    },
    /// Reads answer with an older state.
    StaleReads {
        /// Age in slots.
        slots: u64,
    },
    /// Transactions are refused.
    RefusedSends {
        /// Probability, ppm.
        share_ppm: u32,
    },
}

/// Which fault ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Healing {
    /// All that are there.
    All,
    /// Of a link.
    Link(LinkCode),
    /// Of public paths.
    Path(PathEnds),
    /// Of a node that was unplugged.
    Node(Node),
    /// A client's clock is set right.
    Clock(ClientName),
    /// An interface is set up.
    Interface(InterfaceName),
    /// The process is started, or goes on.
    Process(Process),
    /// Of this kind, whatever its numbers.
    Ledger(LedgerFault),
}

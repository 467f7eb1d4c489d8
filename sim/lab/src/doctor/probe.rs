//! The capabilities: what each is called, what it is for, and whether a scenario can do without.

use serde::{Deserialize, Serialize};

/// A capability of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// User namespaces, or being root.
    User,
    /// Network namespaces.
    Net,
    /// Mount namespaces.
    Mount,
    /// Pid namespaces.
    Pid,
    /// Mounting a `/proc` of one's own.
    Proc,
    /// Mounting a tmpfs on `/run`.
    Run,
    /// Changing kernel parameters of a network namespace.
    Sysctl,
    /// File descriptors for processes.
    PidFd,
    /// Opening `/dev/net/tun`.
    TunOpen,
    /// Making a TUN device.
    TunCreate,
    /// Raw ICMP and GRE sockets.
    Raw,
    /// Policy routing.
    Rules,
    /// Multicast routing.
    Multicast,
    /// Interfaces that hold loopback addresses.
    Loopback,
    /// GRE links of the kernel.
    Gre,
    /// Dummy links of the kernel.
    Dummy,
}

/// Whether a scenario can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// No scenario runs without it.
    Required,
    /// Something else takes its place, or a part is not there.
    Optional,
}

impl Probe {
    /// All of them, in the order in which they build on each other.
    pub const ALL: [Self; 16] = [
        Self::User,
        Self::Net,
        Self::Mount,
        Self::Pid,
        Self::Proc,
        Self::Run,
        Self::Sysctl,
        Self::PidFd,
        Self::TunOpen,
        Self::TunCreate,
        Self::Raw,
        Self::Rules,
        Self::Multicast,
        Self::Loopback,
        Self::Gre,
        Self::Dummy,
    ];

    /// Name, purpose, need.
    pub(super) fn about(self) -> (&'static str, &'static str, Need) {
        use Need::{Optional, Required};
        match self {
            Self::User => ("user namespaces", "to be root in the lab without being root", Required),
            Self::Net => ("network namespaces", "each node is one", Required),
            Self::Mount => ("mount namespaces", "the lab has its own /proc and /run", Required),
            Self::Pid => ("pid namespaces", "the processes of a lab die together", Required),
            Self::Proc => ("mount /proc", "to find the processes of a node", Required),
            Self::Run => ("mount tmpfs on /run", "for the files of the nodes", Required),
            Self::Sysctl => ("write /proc/sys/net", "to make a node forward packets", Required),
            Self::PidFd => ("pidfd_open", "to see processes end", Required),
            Self::TunOpen => ("open /dev/net/tun", "links and tunnels end in the simulator", Required),
            Self::TunCreate => ("TUN devices", "links and tunnels end in the simulator", Required),
            Self::Raw => ("raw sockets", "to probe latency and to send GRE", Required),
            Self::Rules => ("ip rules", "a tenant's routing table is chosen by rules", Required),
            Self::Multicast => ("multicast routing", "devices forward groups", Required),
            Self::Loopback => ("loopback interfaces", "endpoint addresses live on them (dummy or bridge)", Required),
            Self::Gre => (super::KERNEL_GRE, "for --dataplane kernel; else tunnels end in userspace", Optional),
            Self::Dummy => ("dummy links", "as loopback interfaces; else bridges", Optional),
        }
    }

    /// What it can not be tried without.
    pub(super) fn builds_on(self) -> Option<Self> {
        match self {
            Self::User | Self::PidFd | Self::TunOpen => None,
            Self::Net | Self::Mount | Self::Pid => Some(Self::User),
            Self::Proc | Self::Run => Some(Self::Mount),
            Self::TunCreate => Some(Self::TunOpen),
            _ => Some(Self::Net),
        }
    }
}

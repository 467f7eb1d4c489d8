//! Text of a plan's parts in titles and messages: as a scenario writes them, as far as that is short.

use std::fmt;

use super::{
    Fault, Healing, Identity, LedgerFault, NodeFault, PathEnd, PathEnds, ProcessFault, Target, TrafficEnd, Via,
};

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(code) => code.fmt(f),
            Self::Client(name) => name.fmt(f),
            Self::Group(code) => code.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Ref(found) => found.fmt(f),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foundation => f.write_str("foundation"),
            Self::Contributor(code) => code.fmt(f),
            Self::Tenant(code) => code.fmt(f),
            Self::Client(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for TrafficEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anywhere"),
            Self::Device(code) => code.fmt(f),
            Self::Client(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Ref(found) => found.fmt(f),
        }
    }
}

impl fmt::Display for PathEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(code) => code.fmt(f),
            Self::Client(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Ref(found) => found.fmt(f),
        }
    }
}

impl fmt::Display for PathEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path {} {} {}", self.from, if self.both_ways { "<->" } else { "->" }, self.to)
    }
}

/// ` via doublezero1`, or nothing.
impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Routes => Ok(()),
            Self::Tunnel(name) => write!(f, " via {name}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { link, condition } => {
                write!(f, "link {link}{}", if condition.blocked { " cut" } else { " impaired" })
            }
            Self::Path { ends, condition } => {
                write!(f, "{ends}{}", if condition.blocked { " cut" } else { " impaired" })
            }
            Self::Node { node, fault: NodeFault::Unplug } => write!(f, "unplug {node}"),
            Self::Node { node, fault: NodeFault::Reboot } => write!(f, "reboot {node}"),
            Self::Interface(interface) => write!(f, "interface {interface} down"),
            Self::Process { process, fault } => {
                let verb = match fault {
                    ProcessFault::Kill => "kill",
                    ProcessFault::Terminate => "terminate",
                    ProcessFault::Pause => "pause",
                    ProcessFault::Restart => "restart",
                };
                write!(f, "{verb} {process}")
            }
            Self::Ledger { fault, towards } => {
                write!(f, "ledger {fault}")?;
                for whom in towards {
                    write!(f, " {whom}")?;
                }
                Ok(())
            }
            Self::LostSlots { slots } => write!(f, "ledger loses its last {slots} slots"),
            Self::Address { client, public_ip } => write!(f, "{client} moves to {public_ip}"),
            Self::Clock { client, by, back } => {
                let direction = if *back { "back" } else { "forward" };
                write!(f, "clock of {client} set {direction} by {by:?}")
            }
        }
    }
}

impl fmt::Display for LedgerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outage => "outage",
            Self::Slow { .. } => "slow",
            Self::LostNotifications { .. } => "lost notifications",
            Self::DuplicatedNotifications { .. } => "duplicated notifications",
            Self::StaleReads { .. } => "stale reads",
            Self::RefusedSends { .. } => "refused sends",
        })
    }
}

impl fmt::Display for Healing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Link(link) => write!(f, "link {link}"),
            Self::Path(ends) => ends.fmt(f),
            Self::Node(node) => node.fmt(f),
            Self::Interface(interface) => write!(f, "interface {interface}"),
            Self::Process(process) => process.fmt(f),
            Self::Ledger(fault) => write!(f, "ledger {fault}"),
            Self::Clock(client) => write!(f, "clock of {client}"),
        }
    }
}

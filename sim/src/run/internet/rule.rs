//! An exception to geography: a scenario's path, or a fault put over one, in one direction.

use dzsim_scenario::plan::Condition;
use ipnet::Ipv4Net;

/// Where packets go: to a node, or to one address of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub node: String,
    /// All of its addresses if none.
    pub address: Option<Ipv4Net>,
}

impl Place {
    /// Whether a rule about this place holds for packets to the other.
    pub fn covers(&self, other: &Self) -> bool {
        self.node == other.node && (self.address.is_none() || self.address == other.address)
    }
}

/// A rule in one direction, with all names resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The node that sends.
    pub from: String,
    /// Where the packets go.
    pub to: Place,
    /// What happens to them.
    pub condition: Condition,
}

#[cfg(test)]
impl Rule {
    /// A rule for all packets from a node to a node.
    pub(in crate::run) fn to_node(from: &str, to: &str, condition: Condition) -> Self {
        Self { from: from.to_owned(), to: Place { node: to.to_owned(), address: None }, condition }
    }
}

//! The nodes, by name.

use std::collections::BTreeMap;

use super::{NodeId, PortId};
use crate::INTERNET;
use crate::error::{FabricError, Result};
use crate::geo::Position;

/// A node. It stays known when it is detached.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) port: PortId,
    pub(super) attached: bool,
    pub(super) up: bool,
    pub(super) position: Option<Position>,
}

/// All nodes that were ever mentioned; the first is the internet itself.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    list: Vec<Node>,
    by_name: BTreeMap<String, NodeId>,
}

impl Nodes {
    pub(super) fn get(&self, id: NodeId) -> &Node {
        &self.list[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.list[id.0 as usize]
    }

    /// The node of this name, the internet included.
    pub(super) fn by_name(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// The node of this name.
    pub(super) fn find(&self, name: &str) -> Result<NodeId> {
        let node = self.by_name(name).filter(|node| *node != NodeId::INTERNET);
        node.ok_or_else(|| FabricError::UnknownNode(name.to_owned()))
    }

    /// The node of this name, made known with a port of its own if it is new.
    pub(super) fn intern(&mut self, name: &str, port: impl FnOnce(NodeId) -> PortId) -> NodeId {
        if let Some(node) = self.by_name(name) {
            return node;
        }
        let id = NodeId(self.list.len() as u32);
        self.list.push(Node { name: name.to_owned(), port: port(id), attached: false, up: true, position: None });
        self.by_name.insert(name.to_owned(), id);
        id
    }
}

/// Refuses the name of the internet.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name == INTERNET { Err(FabricError::ReservedName(name.to_owned())) } else { Ok(()) }
}

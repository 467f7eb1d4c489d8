//! Changes to the network while it runs: who is there, with which addresses, over which paths.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::flow::Flows;
use super::node::{self, Nodes};
use super::paths::Paths;
use super::queue::Queue;
use super::route::Routes;
use super::translate::{NatFilter, Translators};
use super::{Core, CoreConfig, NodeId, PortId, PortOwner};
use crate::INTERNET;
use crate::error::{FabricError, Result};
use crate::geo::{Geography, Position};
use crate::profile::PathProfile;

impl Core {
    pub(crate) fn new(config: CoreConfig) -> Self {
        let (flows, paths) = (Flows::new(config.max_flows), Paths::new(config.seed));
        let mut core = Self {
            config,
            nodes: Nodes::default(),
            links: Vec::new(),
            link_names: BTreeMap::new(),
            ports: Vec::new(),
            takes_merged: HashSet::new(),
            routes: Routes::default(),
            translators: Translators::default(),
            paths,
            flows,
            queue: Queue::default(),
            latest_ns: 0,
            version: 0,
            dropped: None,
        };
        let internet = core.intern(INTERNET);
        debug_assert_eq!(internet, NodeId::INTERNET);
        core
    }

    /// Connects a node with its addresses: all of them or, on an error, none.
    pub(crate) fn attach(&mut self, name: &str, prefixes: &[Ipv4Net]) -> Result<PortId> {
        node::check_name(name)?;
        if self.nodes.by_name(name).is_some_and(|node| self.nodes.get(node).attached) {
            return Err(FabricError::NodeExists(name.to_owned()));
        }
        let node = self.intern(name);
        for prefix in prefixes {
            if let Err(error) = self.add_prefix(name, *prefix) {
                self.routes.remove_node(node);
                return Err(error);
            }
        }
        let node = self.nodes.get_mut(node);
        (node.attached, node.up) = (true, true);
        Ok(node.port)
    }

    /// Disconnects a node and frees its addresses. Its paths keep their properties for its return.
    pub(crate) fn detach(&mut self, name: &str) -> Result<PortId> {
        let id = self.nodes.find(name)?;
        let node = self.nodes.get_mut(id);
        if !node.attached {
            return Err(FabricError::NotAttached(name.to_owned()));
        }
        node.attached = false;
        let port = node.port;
        self.routes.remove_node(id);
        Ok(port)
    }

    pub(crate) fn add_prefix(&mut self, name: &str, prefix: Ipv4Net) -> Result<()> {
        let node = self.nodes.find(name)?;
        self.routes.add(node, prefix).map_err(|(other, other_prefix)| FabricError::Overlap {
            node: name.to_owned(),
            prefix,
            other: self.name(other).to_owned(),
            other_prefix,
        })
    }

    pub(crate) fn remove_prefix(&mut self, name: &str, prefix: Ipv4Net) -> Result<()> {
        let node = self.nodes.find(name)?;
        if self.routes.remove(node, prefix) {
            Ok(())
        } else {
            Err(FabricError::UnknownPrefix { node: name.to_owned(), prefix })
        }
    }

    /// Puts a node behind the translator of `outside`: on the internet it is known by that address alone.
    pub(crate) fn put_behind(
        &mut self,
        name: &str,
        inside: Ipv4Addr,
        outside: Ipv4Addr,
        filter: NatFilter,
    ) -> Result<()> {
        let node = self.nodes.find(name)?;
        if let Some(other) = self.routes.lookup(outside) {
            let (node, other) = (name.to_owned(), self.name(other).to_owned());
            let prefix = Ipv4Net::from(outside);
            return Err(FabricError::Overlap { node, prefix, other, other_prefix: prefix });
        }
        self.routes.remove(node, inside.into());
        self.translators.put_behind(node, inside, outside, filter);
        Ok(())
    }

    pub(crate) fn set_uplink(&mut self, name: &str, up: bool) -> Result<()> {
        let node = self.nodes.find(name)?;
        self.nodes.get_mut(node).up = up;
        Ok(())
    }

    /// The profile of every path that has none of its own.
    pub(crate) fn set_default_path(&mut self, profile: PathProfile) -> Result<()> {
        profile.validate().map_err(FabricError::profile("default path"))?;
        self.paths.set_default(&self.nodes, profile);
        Ok(())
    }

    /// Lets distance decide the delay of paths that have no profile of their own; `None` is the default's delay.
    pub(crate) fn set_geography(&mut self, geography: Option<Geography>) {
        self.paths.set_geography(&self.nodes, geography);
    }

    /// Where a node is.
    pub(crate) fn set_position(&mut self, name: &str, position: Position) -> Result<()> {
        let node = self.nodes.find(name)?;
        self.nodes.get_mut(node).position = Some(position);
        self.paths.moved(&self.nodes, node);
        Ok(())
    }

    /// The profile of one direction; `None` is the default.
    pub(crate) fn set_path(&mut self, from: &str, to: &str, profile: Option<PathProfile>) -> Result<()> {
        let pair = (self.nodes.find(from)?, self.nodes.find(to)?);
        check(&profile, || format!("path {from} to {to}"))?;
        self.paths.set_pair(&self.nodes, pair, profile);
        Ok(())
    }

    /// The profile of whatever `from` (or anybody) sends to addresses of `prefix`; `None` lifts the rule.
    pub(crate) fn set_address_path(
        &mut self,
        from: Option<&str>,
        prefix: Ipv4Net,
        profile: Option<PathProfile>,
    ) -> Result<()> {
        check(&profile, || format!("path {} to {prefix}", from.unwrap_or("*")))?;
        let from = from.map(|from| self.nodes.find(from)).transpose()?;
        self.paths.set_rule(&self.nodes, from, prefix, profile);
        Ok(())
    }

    /// Blocks or opens directions between nodes on the internet.
    pub(crate) fn set_blocked(&mut self, pairs: &[(NodeId, NodeId)], blocked: bool) {
        self.paths.set_blocked(pairs, blocked);
    }

    /// Opens everything that is blocked.
    pub(crate) fn heal(&mut self) {
        self.paths.heal();
    }

    /// Says whether the device at a port can be given large segments.
    pub(crate) fn set_takes_merged(&mut self, port: PortId, takes: bool) {
        if takes {
            self.takes_merged.insert(port);
        } else {
            self.takes_merged.remove(&port);
        }
    }

    /// The node of this name.
    pub(crate) fn node(&self, name: &str) -> Result<NodeId> {
        self.nodes.find(name)
    }

    /// The name of a node.
    pub(crate) fn name(&self, node: NodeId) -> &str {
        &self.nodes.get(node).name
    }

    pub(super) fn intern(&mut self, name: &str) -> NodeId {
        self.nodes.intern(name, |node| new_port(&mut self.ports, PortOwner::Uplink(node)))
    }

    pub(super) fn new_port(&mut self, owner: PortOwner) -> PortId {
        new_port(&mut self.ports, owner)
    }
}

fn new_port(ports: &mut Vec<PortOwner>, owner: PortOwner) -> PortId {
    ports.push(owner);
    PortId(ports.len() as u32 - 1)
}

fn check(profile: &Option<PathProfile>, what: impl FnOnce() -> String) -> Result<()> {
    match profile.as_ref().map(PathProfile::validate) {
        Some(Err(source)) => Err(FabricError::Profile { what: what(), source }),
        Some(Ok(())) | None => Ok(()),
    }
}

//! Changes to the network while it runs: who is there, with which addresses, over which paths.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::Ipv4Net;

use super::flow::Flows;
use super::path::Direction;
use super::queue::Queue;
use super::route::{self, Routes};
use super::{Core, CoreConfig, Link, LinkId, Node, NodeId, Path, PathId, PortId, PortOwner, RuleId};
use crate::INTERNET;
use crate::error::{FabricError, Result};
use crate::geo::{Geography, Position};
use crate::profile::PathProfile;

impl Core {
    pub(crate) fn new(config: CoreConfig) -> Self {
        let flows = Flows::new(config.max_flows);
        let mut core = Self {
            config,
            nodes: Vec::new(),
            node_names: BTreeMap::new(),
            links: Vec::new(),
            link_names: BTreeMap::new(),
            ports: Vec::new(),
            takes_merged: HashSet::new(),
            routes: Routes::default(),
            default_profile: Arc::default(),
            geography: None,
            distant_profiles: BTreeMap::new(),
            pair_profiles: BTreeMap::new(),
            rules: BTreeMap::new(),
            rule_profiles: vec![None],
            rule_lengths: BTreeSet::new(),
            blocked: BTreeSet::new(),
            paths: Vec::new(),
            path_index: HashMap::new(),
            flows,
            queue: Queue::default(),
            version: 0,
        };
        let internet = core.intern(INTERNET);
        debug_assert_eq!(internet, NodeId::INTERNET);
        core
    }

    /// Connects a node with its addresses: all of them or, on an error, none.
    pub(crate) fn attach(&mut self, name: &str, prefixes: &[Ipv4Net]) -> Result<PortId> {
        if name == INTERNET {
            return Err(FabricError::ReservedName(name.to_owned()));
        }
        if self.node_names.get(name).is_some_and(|node| self.nodes[node.0 as usize].attached) {
            return Err(FabricError::NodeExists(name.to_owned()));
        }
        let node = self.intern(name);
        for prefix in prefixes {
            if let Err(error) = self.add_prefix(name, *prefix) {
                self.routes.remove_node(node);
                return Err(error);
            }
        }
        let node = &mut self.nodes[node.0 as usize];
        (node.attached, node.up) = (true, true);
        Ok(node.port)
    }

    /// Disconnects a node and frees its addresses. Its paths keep their properties for its return.
    pub(crate) fn detach(&mut self, name: &str) -> Result<PortId> {
        let id = self.node(name)?;
        let node = &mut self.nodes[id.0 as usize];
        if !node.attached {
            return Err(FabricError::NotAttached(name.to_owned()));
        }
        node.attached = false;
        let port = node.port;
        self.routes.remove_node(id);
        Ok(port)
    }

    pub(crate) fn add_prefix(&mut self, name: &str, prefix: Ipv4Net) -> Result<()> {
        let node = self.node(name)?;
        self.routes.add(node, prefix).map_err(|(other, other_prefix)| FabricError::Overlap {
            node: name.to_owned(),
            prefix,
            other: self.name(other).to_owned(),
            other_prefix,
        })
    }

    pub(crate) fn remove_prefix(&mut self, name: &str, prefix: Ipv4Net) -> Result<()> {
        let node = self.node(name)?;
        if self.routes.remove(node, prefix) {
            Ok(())
        } else {
            Err(FabricError::UnknownPrefix { node: name.to_owned(), prefix })
        }
    }

    pub(crate) fn set_uplink(&mut self, name: &str, up: bool) -> Result<()> {
        let node = self.node(name)?;
        self.nodes[node.0 as usize].up = up;
        Ok(())
    }

    /// The profile of every path that has none of its own.
    pub(crate) fn set_default_path(&mut self, profile: PathProfile) -> Result<()> {
        profile.validate().map_err(FabricError::profile("default path"))?;
        self.default_profile = Arc::new(profile);
        self.distant_profiles.clear();
        self.refresh_paths(|_| true);
        Ok(())
    }

    /// Lets distance decide the delay of paths that have no profile of their own; `None` is the default's delay.
    pub(crate) fn set_geography(&mut self, geography: Option<Geography>) {
        self.geography = geography;
        self.distant_profiles.clear();
        self.refresh_paths(|_| true);
    }

    /// Where a node is.
    pub(crate) fn set_position(&mut self, name: &str, position: Position) -> Result<()> {
        let node = self.node(name)?;
        self.nodes[node.0 as usize].position = Some(position);
        self.refresh_paths(|path| path.from == node || path.to == node);
        Ok(())
    }

    /// The profile of one direction; `None` is the default.
    pub(crate) fn set_path(&mut self, from: &str, to: &str, profile: Option<PathProfile>) -> Result<()> {
        let pair = (self.node(from)?, self.node(to)?);
        match profile {
            Some(profile) => {
                profile.validate().map_err(FabricError::profile(format!("path {from} to {to}")))?;
                self.pair_profiles.insert(pair, Arc::new(profile));
            }
            None => {
                self.pair_profiles.remove(&pair);
            }
        }
        self.refresh_paths(|path| (path.from, path.to) == pair);
        Ok(())
    }

    /// The profile of whatever `from` (or anybody) sends to addresses of `prefix`; `None` lifts the rule.
    pub(crate) fn set_address_path(
        &mut self,
        from: Option<&str>,
        prefix: Ipv4Net,
        profile: Option<PathProfile>,
    ) -> Result<()> {
        if let Some(profile) = &profile {
            let what = || format!("path {} to {prefix}", from.unwrap_or("*"));
            profile.validate().map_err(|source| FabricError::Profile { what: what(), source })?;
        }
        let from = from.map(|from| self.node(from)).transpose()?;
        let prefix = prefix.trunc();
        let key = (from, prefix.network().to_bits(), prefix.prefix_len());
        let id = *self.rules.entry(key).or_insert_with(|| {
            self.rule_profiles.push(None);
            RuleId(self.rule_profiles.len() as u32 - 1)
        });
        self.rule_profiles[id.0 as usize] = profile.map(Arc::new);
        self.rule_lengths.insert(prefix.prefix_len());
        self.refresh_paths(|path| path.rule == id);
        Ok(())
    }

    /// Blocks or opens one direction between two nodes on the internet.
    pub(crate) fn set_blocked(&mut self, pairs: &[(NodeId, NodeId)], blocked: bool) {
        for pair in pairs {
            if blocked {
                self.blocked.insert(*pair);
            } else {
                self.blocked.remove(pair);
            }
        }
        self.refresh_blocked();
    }

    /// Opens everything that is blocked.
    pub(crate) fn heal(&mut self) {
        self.blocked.clear();
        self.refresh_blocked();
    }

    /// Connects two nodes by a link; gives the ports of both ends.
    pub(crate) fn add_link(&mut self, name: &str, ends: [&str; 2], profiles: [PathProfile; 2]) -> Result<[PortId; 2]> {
        for profile in &profiles {
            profile.validate().map_err(FabricError::profile(format!("link {name}")))?;
        }
        if self.link_names.get(name).is_some_and(|link| self.links[link.0 as usize].attached) {
            return Err(FabricError::LinkExists(name.to_owned()));
        }
        if ends.contains(&INTERNET) {
            return Err(FabricError::ReservedName(INTERNET.to_owned()));
        }
        let ends = ends.map(|end| self.intern(end));
        let known = self.link_names.get(name).copied().filter(|link| self.links[link.0 as usize].ends == ends);
        let [az, za] = profiles.map(Arc::new);
        let id = match known {
            Some(id) => {
                let paths = self.links[id.0 as usize].paths;
                for (path, profile) in paths.into_iter().zip([az, za]) {
                    self.paths[path.0 as usize].direction.set_profile(profile);
                }
                id
            }
            None => {
                let id = LinkId(self.links.len() as u32);
                let ports = [0, 1].map(|end| self.new_port(PortOwner::LinkEnd(id, end)));
                let paths = [
                    self.new_path(ends[0], ends[1], Some((id, name)), RuleId::NONE, az),
                    self.new_path(ends[1], ends[0], Some((id, name)), RuleId::NONE, za),
                ];
                self.links.push(Link { name: name.to_owned(), ends, ports, paths, attached: false, up: false });
                self.link_names.insert(name.to_owned(), id);
                id
            }
        };
        let link = &mut self.links[id.0 as usize];
        (link.attached, link.up) = (true, true);
        Ok(link.ports)
    }

    pub(crate) fn remove_link(&mut self, name: &str) -> Result<[PortId; 2]> {
        let link = self.link_mut(name)?;
        link.attached = false;
        Ok(link.ports)
    }

    pub(crate) fn set_link_profiles(&mut self, name: &str, profiles: [PathProfile; 2]) -> Result<()> {
        for profile in &profiles {
            profile.validate().map_err(FabricError::profile(format!("link {name}")))?;
        }
        let paths = self.link_mut(name)?.paths;
        for (path, profile) in paths.into_iter().zip(profiles) {
            self.paths[path.0 as usize].direction.set_profile(Arc::new(profile));
        }
        Ok(())
    }

    pub(crate) fn set_link_up(&mut self, name: &str, up: bool) -> Result<()> {
        self.link_mut(name)?.up = up;
        Ok(())
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
        let node = self.node_names.get(name).filter(|node| **node != NodeId::INTERNET);
        node.copied().ok_or_else(|| FabricError::UnknownNode(name.to_owned()))
    }

    /// The name of a node.
    pub(crate) fn name(&self, node: NodeId) -> &str {
        &self.nodes[node.0 as usize].name
    }

    /// The link of this name, attached or not.
    pub(super) fn link(&self, name: &str) -> Option<LinkId> {
        self.link_names.get(name).copied()
    }

    fn link_mut(&mut self, name: &str) -> Result<&mut Link> {
        let id = self.link_names.get(name);
        let link = id.map(|id| &mut self.links[id.0 as usize]).filter(|link| link.attached);
        link.ok_or_else(|| FabricError::UnknownLink(name.to_owned()))
    }

    fn intern(&mut self, name: &str) -> NodeId {
        if let Some(node) = self.node_names.get(name) {
            return *node;
        }
        let id = NodeId(self.nodes.len() as u32);
        let port = self.new_port(PortOwner::Uplink(id));
        self.nodes.push(Node { name: name.to_owned(), port, attached: false, up: true, position: None });
        self.node_names.insert(name.to_owned(), id);
        id
    }

    fn new_port(&mut self, owner: PortOwner) -> PortId {
        self.ports.push(owner);
        PortId(self.ports.len() as u32 - 1)
    }

    /// The path from `from` to an address of `to`.
    pub(super) fn path_for(&mut self, from: NodeId, to: NodeId, address: Ipv4Addr) -> PathId {
        let rule = route::longest(self.rule_lengths.iter().rev().copied(), address, |(network, len)| {
            let active = |id: &&RuleId| self.rule_profiles[id.0 as usize].is_some();
            let of = |from| self.rules.get(&(from, network, len)).filter(active);
            of(Some(from)).or_else(|| of(None)).copied()
        });
        self.path(from, to, rule.unwrap_or(RuleId::NONE))
    }

    pub(super) fn path(&mut self, from: NodeId, to: NodeId, rule: RuleId) -> PathId {
        if let Some(path) = self.path_index.get(&(from, to, rule)) {
            return *path;
        }
        let profile = self.profile(from, to, rule);
        let path = self.new_path(from, to, None, rule, profile);
        self.path_index.insert((from, to, rule), path);
        path
    }

    fn new_path(
        &mut self,
        from: NodeId,
        to: NodeId,
        link: Option<(LinkId, &str)>,
        rule: RuleId,
        profile: Arc<PathProfile>,
    ) -> PathId {
        let medium = link.map_or(INTERNET, |(_, name)| name);
        let parts = [self.name(from), self.name(to), medium, &rule.0.to_string()];
        let direction = Direction::new(profile, seed_of(self.config.seed, &parts));
        let blocked = link.is_none() && self.blocked.contains(&(from, to));
        let link = link.map(|(id, _)| id);
        self.paths.push(Path { from, to, link, rule, blocked, direction, counters: Vec::new() });
        PathId(self.paths.len() as u32 - 1)
    }

    /// What counts for a path: the rule, else what was set for the pair, else the default at their distance.
    fn profile(&mut self, from: NodeId, to: NodeId, rule: RuleId) -> Arc<PathProfile> {
        let own = self.rule_profiles[rule.0 as usize].as_ref();
        if let Some(profile) = own.or_else(|| self.pair_profiles.get(&(from, to))) {
            return Arc::clone(profile);
        }
        let position = |node: NodeId| self.nodes[node.0 as usize].position;
        let (Some(geography), Some(a), Some(b)) = (self.geography, position(from), position(to)) else {
            return Arc::clone(&self.default_profile);
        };
        let delay = geography.delay(a, b);
        let default = &self.default_profile;
        let distant = self.distant_profiles.entry(delay);
        Arc::clone(distant.or_insert_with(|| Arc::new(PathProfile { delay, ..PathProfile::clone(default) })))
    }

    fn refresh_paths(&mut self, which: impl Fn(&Path) -> bool) {
        for at in 0..self.paths.len() {
            let path = &self.paths[at];
            if path.link.is_some() || !which(path) {
                continue;
            }
            let (from, to, rule) = (path.from, path.to, path.rule);
            let profile = self.profile(from, to, rule);
            let path = &self.paths[at];
            if !Arc::ptr_eq(&profile, path.direction.profile()) {
                self.paths[at].direction.set_profile(profile);
            }
        }
    }

    fn refresh_blocked(&mut self) {
        for path in self.paths.iter_mut().filter(|path| path.link.is_none()) {
            path.blocked = self.blocked.contains(&(path.from, path.to));
        }
    }
}

/// A seed of its own for each sequence of names (FNV-1a, each name ended by a byte that is in none).
fn seed_of(seed: u64, parts: &[&str]) -> u64 {
    let names = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    seed.to_le_bytes()
        .into_iter()
        .chain(names)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

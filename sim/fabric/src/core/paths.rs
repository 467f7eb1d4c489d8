//! Properties of each direction between two nodes: rules about addresses, what was set for a pair, distance, and
//! the default. A path is made when its first packet comes, and stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::node::Nodes;
use super::path::{Direction, Fate};
use super::report::ProtocolCounters;
use super::route;
use super::{LinkId, NodeId, PathId};
use crate::INTERNET;
use crate::geo::Geography;
use crate::profile::{PathProfile, Reach};

/// A rule about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RuleId(u32);

impl RuleId {
    /// No rule.
    pub(super) const NONE: Self = Self(0);
}

/// One direction between two nodes, over the internet or a link.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) link: Option<LinkId>,
    rule: RuleId,
    pub(super) blocked: bool,
    direction: Direction,
    /// Protocols that fare in another way.
    exceptions: Vec<(u8, Direction)>,
    /// What random sequences come from.
    seed: u64,
    counters: Vec<(u8, ProtocolCounters)>,
}

impl Path {
    /// Whether nothing of this protocol gets to its end any more.
    pub(super) fn is_cut(&self, protocol: u8) -> bool {
        self.blocked || self.profile(protocol).reach != Reach::Open
    }

    /// What counts for packets of this protocol.
    pub(super) fn profile(&self, protocol: u8) -> &Arc<PathProfile> {
        let exception = self.exceptions.iter().find(|(of, _)| *of == protocol);
        exception.map_or(&self.direction, |(_, direction)| direction).profile()
    }

    /// Takes another profile from the next packet on.
    pub(super) fn set_profile(&mut self, profile: Arc<PathProfile>) {
        self.exceptions.retain(|(protocol, _)| profile.exceptions.contains_key(protocol));
        for (protocol, other) in &profile.exceptions {
            let other = Arc::new(other.clone());
            match self.exceptions.iter_mut().find(|(of, _)| of == protocol) {
                Some((_, direction)) => direction.set_profile(other),
                None => {
                    let seed = self.seed.wrapping_add(u64::from(*protocol) + 1);
                    self.exceptions.push((*protocol, Direction::new(other, seed)));
                }
            }
        }
        self.direction.set_profile(profile);
    }

    /// Decides on a packet of `bytes` that enters at `now`.
    pub(super) fn send(&mut self, now: u64, protocol: u8, bytes: u64) -> Fate {
        let exception = self.exceptions.iter_mut().find(|(of, _)| *of == protocol);
        exception.map_or(&mut self.direction, |(_, direction)| direction).send(now, bytes)
    }

    /// What happened to packets of this protocol.
    pub(super) fn counters_mut(&mut self, protocol: u8) -> &mut ProtocolCounters {
        let at = self.counters.iter().position(|(of, _)| *of == protocol).unwrap_or_else(|| {
            // Most paths carry one protocol or two, and there may be a million.
            self.counters.reserve_exact(1);
            self.counters.push((protocol, ProtocolCounters::default()));
            self.counters.len() - 1
        });
        &mut self.counters[at].1
    }

    /// All of them, by protocol.
    pub(super) fn counters(&self) -> impl Iterator<Item = (u8, &ProtocolCounters)> {
        self.counters.iter().map(|(protocol, counters)| (*protocol, counters))
    }
}

/// All paths, and what decides their properties.
#[derive(Debug)]
pub(super) struct Paths {
    seed: u64,
    list: Vec<Path>,
    index: HashMap<(NodeId, NodeId, RuleId), PathId>,
    default: Arc<PathProfile>,
    geography: Option<Geography>,
    /// What geography makes of the default, by delay: paths between the same places share it.
    distant: BTreeMap<Duration, Arc<PathProfile>>,
    pairs: BTreeMap<(NodeId, NodeId), Arc<PathProfile>>,
    /// By sender (`None` is any) and destination prefix.
    rules: BTreeMap<(Option<NodeId>, u32, u8), RuleId>,
    /// By the rule's number; `None` where the rule was lifted, and for the rule that is none.
    rule_profiles: Vec<Option<Arc<PathProfile>>>,
    rule_lengths: BTreeSet<u8>,
    blocked: BTreeSet<(NodeId, NodeId)>,
}

impl Paths {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            list: Vec::new(),
            index: HashMap::new(),
            default: Arc::default(),
            geography: None,
            distant: BTreeMap::new(),
            pairs: BTreeMap::new(),
            rules: BTreeMap::new(),
            rule_profiles: vec![None],
            rule_lengths: BTreeSet::new(),
            blocked: BTreeSet::new(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Path> {
        self.list.iter()
    }

    /// The path from `from` to an address of `to`.
    pub(super) fn toward(&mut self, nodes: &Nodes, from: NodeId, to: NodeId, address: Ipv4Addr) -> PathId {
        let rule = route::longest(self.rule_lengths.iter().rev().copied(), address, |(network, len)| {
            let active = |id: &&RuleId| self.rule_profiles[id.0 as usize].is_some();
            let of = |from| self.rules.get(&(from, network, len)).filter(active);
            of(Some(from)).or_else(|| of(None)).copied()
        });
        self.between(nodes, from, to, rule.unwrap_or(RuleId::NONE))
    }

    /// The path from `from` to `to` by a rule, or by none.
    pub(super) fn between(&mut self, nodes: &Nodes, from: NodeId, to: NodeId, rule: RuleId) -> PathId {
        if let Some(path) = self.index.get(&(from, to, rule)) {
            return *path;
        }
        let profile = self.profile(nodes, from, to, rule);
        let path = self.add(nodes, (from, to), None, rule, profile);
        self.index.insert((from, to, rule), path);
        path
    }

    /// A path over a link.
    pub(super) fn add_link(
        &mut self,
        nodes: &Nodes,
        ends: (NodeId, NodeId),
        link: (LinkId, &str),
        profile: Arc<PathProfile>,
    ) -> PathId {
        self.add(nodes, ends, Some(link), RuleId::NONE, profile)
    }

    fn add(
        &mut self,
        nodes: &Nodes,
        (from, to): (NodeId, NodeId),
        link: Option<(LinkId, &str)>,
        rule: RuleId,
        profile: Arc<PathProfile>,
    ) -> PathId {
        let medium = link.map_or(INTERNET, |(_, name)| name);
        let parts = [&nodes.get(from).name, &nodes.get(to).name, medium, &rule.0.to_string()];
        let seed = seed_of(self.seed, &parts);
        let direction = Direction::new(Arc::clone(&profile), seed);
        let blocked = link.is_none() && self.blocked.contains(&(from, to));
        let link = link.map(|(id, _)| id);
        let (exceptions, counters) = (Vec::new(), Vec::new());
        let mut path = Path { from, to, link, rule, blocked, direction, exceptions, seed, counters };
        if !profile.exceptions.is_empty() {
            path.set_profile(profile);
        }
        self.list.push(path);
        PathId(self.list.len() as u32 - 1)
    }

    /// The profile of every path that nothing else decides.
    pub(super) fn set_default(&mut self, nodes: &Nodes, profile: PathProfile) {
        self.default = Arc::new(profile);
        self.distant.clear();
        self.refresh(nodes, |_| true);
    }

    pub(super) fn set_geography(&mut self, nodes: &Nodes, geography: Option<Geography>) {
        self.geography = geography;
        self.distant.clear();
        self.refresh(nodes, |_| true);
    }

    /// A node is elsewhere now.
    pub(super) fn moved(&mut self, nodes: &Nodes, node: NodeId) {
        self.refresh(nodes, |path| path.from == node || path.to == node);
    }

    /// The profile of one direction; `None` sets nothing for it.
    pub(super) fn set_pair(&mut self, nodes: &Nodes, pair: (NodeId, NodeId), profile: Option<PathProfile>) {
        match profile {
            Some(profile) => self.pairs.insert(pair, Arc::new(profile)),
            None => self.pairs.remove(&pair),
        };
        // Paths by a rule have the rule's profile.
        if let Some(path) = self.index.get(&(pair.0, pair.1, RuleId::NONE)) {
            self.refresh_one(nodes, *path);
        }
    }

    /// The profile of whatever `from` (or anybody) sends to addresses of `prefix`; `None` lifts the rule.
    pub(super) fn set_rule(
        &mut self,
        nodes: &Nodes,
        from: Option<NodeId>,
        prefix: Ipv4Net,
        profile: Option<PathProfile>,
    ) {
        let prefix = prefix.trunc();
        let key = (from, prefix.network().to_bits(), prefix.prefix_len());
        let id = *self.rules.entry(key).or_insert_with(|| {
            self.rule_profiles.push(None);
            RuleId(self.rule_profiles.len() as u32 - 1)
        });
        self.rule_profiles[id.0 as usize] = profile.map(Arc::new);
        self.rule_lengths.insert(prefix.prefix_len());
        self.refresh(nodes, |path| path.rule == id);
    }

    /// Blocks or opens directions on the internet.
    pub(super) fn set_blocked(&mut self, pairs: &[(NodeId, NodeId)], blocked: bool) {
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
    pub(super) fn heal(&mut self) {
        self.blocked.clear();
        self.refresh_blocked();
    }

    /// What counts for a path: the rule, else what was set for the pair, else the default at their distance.
    fn profile(&mut self, nodes: &Nodes, from: NodeId, to: NodeId, rule: RuleId) -> Arc<PathProfile> {
        let own = self.rule_profiles[rule.0 as usize].as_ref();
        if let Some(profile) = own.or_else(|| self.pairs.get(&(from, to))) {
            return Arc::clone(profile);
        }
        let position = |node| nodes.get(node).position;
        let (Some(geography), Some(a), Some(b)) = (self.geography, position(from), position(to)) else {
            return Arc::clone(&self.default);
        };
        let delay = geography.delay(a, b);
        let distant = self.distant.entry(delay);
        Arc::clone(distant.or_insert_with(|| Arc::new(PathProfile { delay, ..PathProfile::clone(&self.default) })))
    }

    fn refresh(&mut self, nodes: &Nodes, which: impl Fn(&Path) -> bool) {
        for at in 0..self.list.len() {
            if self.list[at].link.is_none() && which(&self.list[at]) {
                self.refresh_one(nodes, PathId(at as u32));
            }
        }
    }

    fn refresh_one(&mut self, nodes: &Nodes, id: PathId) {
        let path = &self[id];
        let profile = self.profile(nodes, path.from, path.to, path.rule);
        let path = &mut self[id];
        if !Arc::ptr_eq(&profile, path.direction.profile()) {
            path.set_profile(profile);
        }
    }

    fn refresh_blocked(&mut self) {
        for path in self.list.iter_mut().filter(|path| path.link.is_none()) {
            path.blocked = self.blocked.contains(&(path.from, path.to));
        }
    }
}

impl Index<PathId> for Paths {
    type Output = Path;

    fn index(&self, id: PathId) -> &Path {
        &self.list[id.0 as usize]
    }
}

impl IndexMut<PathId> for Paths {
    fn index_mut(&mut self, id: PathId) -> &mut Path {
        &mut self.list[id.0 as usize]
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

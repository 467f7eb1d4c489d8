//! Changes from the actual to the desired state, in order. Pure.
//!
//! Everything is keyed by interface, so that one service's change never touches another's, and a tunnel whose outer
//! pair is right is never remade. Whole tunnels go first, because a name or an outer pair may move; on a tunnel that
//! stays, what comes comes before what goes, so that a change of address or role leaves no gap.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
};

use dz_net::kernel::TABLE_MAIN;
use ipnet::Ipv4Net;
use itertools::{EitherOrBoth, merge_join_by};

use super::{desired::DesiredTunnel, tunnel_names};
use crate::api::Session;

/// One tunnel interface in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActualTunnel {
    /// Outer (source, destination).
    pub pair: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The kernel's number for it.
    pub ifindex: u32,
    /// True when it is up.
    pub up: bool,
    /// True when it drops what comes from a source that is routed elsewhere.
    pub strict: bool,
    /// Its addresses.
    pub addresses: BTreeSet<Address>,
    /// Routes of ours out of it, with the source of what takes them.
    pub routes: BTreeMap<RouteKey, Option<Ipv4Addr>>,
    /// Rules of ours that choose its tables.
    pub rules: BTreeSet<RuleKey>,
    /// Groups joined on it.
    pub memberships: BTreeSet<Ipv4Addr>,
}

/// Everything the daemon looks after, by interface name.
pub type Actual = BTreeMap<String, ActualTunnel>;

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address with its prefix length.
    pub net: Ipv4Net,
    /// True for an overlay address, which must never become the default source of other traffic.
    pub link_scope: bool,
}

/// What makes a route of a table one of its own. The metric is the tunnel's number: two tunnels to the same peers or
/// groups each have their routes, and the lowest number carries the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKey {
    /// In which table.
    pub table: u32,
    /// Where it leads.
    pub destination: Ipv4Net,
    /// Preference: lowest wins.
    pub metric: u32,
}

/// A rule that chooses a table of a tunnel; the table has the rule's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleKey {
    /// Its priority, and the table.
    pub number: u32,
    /// For packets with this source only.
    pub from: Option<Ipv4Addr>,
}

/// First number of the tables and rules of edge filtering: two for each tunnel, the users that it reaches and everybody
/// else.
pub(super) const FIRST_TABLE: u32 = 100;
/// The numbers there are for them.
pub(super) const TABLES: u32 = 100;

/// The numbers of the tables of a tunnel; none for a tunnel whose number is too high for any.
fn tables(tunnel: u32) -> Option<(u32, u32)> {
    let first = FIRST_TABLE + tunnel.checked_mul(2).filter(|offset| offset + 1 < TABLES)?;
    Some((first, first + 1))
}

/// The number of the tunnel that a table or a rule is of.
pub(super) fn tunnel_of_table(table: u32) -> Option<u32> {
    table.checked_sub(FIRST_TABLE).filter(|offset| *offset < TABLES).map(|offset| offset / 2)
}

/// One change to the host, of one tunnel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The interface.
    pub name: String,
    /// What changes.
    pub action: Action,
}

impl Change {
    /// True when the host can be asked for both at once: routes of one tunnel.
    pub fn goes_with(&self, next: &Self) -> bool {
        let of_route = |change: &Self| matches!(change.action, Action::SetRoute { .. } | Action::RemoveRoute(_));
        self.name == next.name && of_route(self) && of_route(next)
    }
}

/// What is done to a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Removes it with all it has.
    Delete,
    /// Makes it.
    Create {
        /// Outer source.
        local: Ipv4Addr,
        /// Outer destination.
        remote: Ipv4Addr,
    },
    /// Sets it up.
    Up,
    /// Lets it take what comes from a source that is routed elsewhere.
    AcceptAnySource,
    /// Adds an address.
    AddAddress(Address),
    /// Adds or replaces a route.
    SetRoute {
        /// Which.
        key: RouteKey,
        /// The source of what takes it.
        source: Ipv4Addr,
    },
    /// Joins a group.
    Join(Ipv4Addr),
    /// Leaves a group.
    Leave(Ipv4Addr),
    /// Removes a route.
    RemoveRoute(RouteKey),
    /// Adds a rule.
    AddRule(RuleKey),
    /// Removes a rule.
    RemoveRule(RuleKey),
    /// Removes an address.
    RemoveAddress(Address),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.action {
            Action::Delete => write!(f, "delete {name}"),
            Action::Create { local, remote } => write!(f, "create {name} from {local} to {remote}"),
            Action::Up => write!(f, "set {name} up"),
            Action::AcceptAnySource => write!(f, "accept any source on {name}"),
            Action::AddAddress(address) => write!(f, "add {} to {name}", address.net),
            Action::SetRoute { key, source } => write!(f, "route {} by {name} from {source}", key.destination),
            Action::Join(group) => write!(f, "join {group} on {name}"),
            Action::Leave(group) => write!(f, "leave {group} on {name}"),
            Action::RemoveRoute(key) => write!(f, "remove the route to {} by {name}", key.destination),
            Action::AddRule(rule) => write!(f, "add rule {} for {name}", rule.number),
            Action::RemoveRule(rule) => write!(f, "remove rule {} of {name}", rule.number),
            Action::RemoveAddress(address) => write!(f, "remove {} from {name}", address.net),
        }
    }
}

/// A tunnel as it should be, under its name, and whether it is known to carry traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The tunnel.
    pub tunnel: DesiredTunnel,
    /// What its far end says.
    pub session: Session,
}

impl Wanted {
    fn addresses(&self) -> BTreeSet<Address> {
        let tunnel = &self.tunnel;
        let dz_ip = Address { net: Ipv4Net::from(tunnel.dz_ip), link_scope: false };
        let overlay = Address { net: tunnel.overlay, link_scope: true };
        [overlay].into_iter().chain(tunnel.holds_dz_ip().then_some(dz_ip)).collect()
    }

    /// The routes it should have, given those it has, in order.
    ///
    /// Peers are reached through a tunnel that answers; when it stops, they are reached over the internet again. As
    /// long as nothing is known, what is there stays: a daemon that restarts must not disturb what works. Groups
    /// have no other way, and what is sent to them must not leak.
    ///
    /// With edge filtering the peers are in a table of their own, and everything else that has the tunnel's dz_ip as source
    /// leaves by the tunnel whether or not it answers: what is to be filtered must not go by it.
    fn routes(&self, metric: u32, have: &ActualTunnel) -> Vec<RouteKey> {
        let tunnel = &self.tunnel;
        let filtered = self.tables(metric);
        let table = filtered.map_or(TABLE_MAIN, |(peers, _)| peers);
        let key = |address: &Ipv4Addr| RouteKey { table, destination: Ipv4Net::from(*address), metric };
        let everything = filtered.map(|(_, table)| RouteKey { table, destination: Ipv4Net::default(), metric });
        let peers = tunnel.peers.iter().map(key).filter(|key| match self.session {
            Session::Up => true,
            Session::Pending => have.routes.contains_key(key),
            Session::Down => false,
        });
        let groups = tunnel.publish.keys().chain(tunnel.subscribe.keys()).map(key);
        let mut routes: Vec<_> = peers.chain(groups).chain(everything).collect();
        routes.sort_unstable();
        routes.dedup();
        routes
    }

    /// The tables of edge filtering: of the users that the tunnel reaches, and of everybody else.
    fn tables(&self, number: u32) -> Option<(u32, u32)> {
        tables(number).filter(|_| self.tunnel.leaves_by_it())
    }

    fn rules(&self, number: u32) -> BTreeSet<RuleKey> {
        let Some((peers, everything)) = self.tables(number) else { return BTreeSet::new() };
        let peers = RuleKey { number: peers, from: None };
        BTreeSet::from([peers, RuleKey { number: everything, from: Some(self.tunnel.dz_ip) }])
    }
}

/// What to do, in order, so that the host has what is wanted. Empty when it has.
pub fn changes(wanted: &BTreeMap<String, Wanted>, actual: &Actual) -> Vec<Change> {
    let mut changes = Changes::default();
    for (name, have) in actual {
        if wanted.get(name).is_none_or(|want| have.pair != Some((want.tunnel.local, want.tunnel.remote))) {
            // Rules are nobody's but who made them: the kernel keeps them when the tunnel goes.
            for rule in &have.rules {
                changes.push(name, Action::RemoveRule(*rule));
            }
            changes.push(name, Action::Delete);
        }
    }
    for (name, want) in wanted {
        let (local, remote) = (want.tunnel.local, want.tunnel.remote);
        match actual.get(name).filter(|have| have.pair == Some((local, remote))) {
            Some(have) => changes.tunnel(name, want, have),
            None => {
                changes.push(name, Action::Create { local, remote });
                changes.tunnel(name, want, &ActualTunnel { strict: true, ..ActualTunnel::default() });
            }
        }
    }
    changes.0
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, name: &str, action: Action) {
        self.0.push(Change { name: name.to_owned(), action });
    }

    fn tunnel(&mut self, name: &str, want: &Wanted, have: &ActualTunnel) {
        let number = tunnel_names::number(name).unwrap_or_default();
        let (addresses, routes, rules) = (want.addresses(), want.routes(number, have), want.rules(number));
        let subscribe = &want.tunnel.subscribe;
        if !have.up {
            self.push(name, Action::Up);
        }
        if have.strict {
            self.push(name, Action::AcceptAnySource);
        }
        // An address is there once, so one in the wrong scope goes before it comes in the right one.
        let wrong =
            have.addresses.iter().filter(|had| addresses.iter().any(|want| want.net == had.net && want != *had));
        for address in wrong {
            self.push(name, Action::RemoveAddress(*address));
        }
        let new: BTreeSet<Address> = addresses.difference(&have.addresses).copied().collect();
        for address in &new {
            self.push(name, Action::AddAddress(*address));
        }
        let source = want.tunnel.dz_ip;
        // The kernel drops routes with the address that is their source, so those from a new one are set in any case.
        let newly = new.iter().any(|address| address.net.addr() == source);
        let mut gone = Vec::new();
        // There can be a thousand, compared for each client that comes or goes: both are in order, so one pass does.
        for route in merge_join_by(&routes, &have.routes, |want, (had, _)| (*want).cmp(had)) {
            match route {
                EitherOrBoth::Both(_, (_, had)) if *had == Some(source) && !newly => {}
                EitherOrBoth::Both(key, _) | EitherOrBoth::Left(key) => {
                    self.push(name, Action::SetRoute { key: *key, source });
                }
                EitherOrBoth::Right((key, _)) => gone.push(*key),
            }
        }
        for rule in rules.difference(&have.rules) {
            self.push(name, Action::AddRule(*rule));
        }
        for rule in have.rules.difference(&rules) {
            self.push(name, Action::RemoveRule(*rule));
        }
        for group in subscribe.keys().filter(|group| !have.memberships.contains(group)) {
            self.push(name, Action::Join(*group));
        }
        for group in have.memberships.iter().filter(|group| !subscribe.contains_key(group)) {
            self.push(name, Action::Leave(*group));
        }
        for key in gone {
            self.push(name, Action::RemoveRoute(key));
        }
        for address in &have.addresses {
            if addresses.iter().all(|want| want.net != address.net) {
                self.push(name, Action::RemoveAddress(*address));
            }
        }
    }
}

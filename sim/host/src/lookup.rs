//! Route lookup: rules in order, in each table the longest prefix that serves (`fib_lookup`, `fib_table_lookup`), and
//! the way and the source of what the host sends itself (`ip_route_output_key_hash`).

use std::net::Ipv4Addr;

use dz_net::kernel::{FwMark, RouteInfo, RouteKind, RuleAction, RuleInfo, TABLE_MAIN};
use nix::errno::Errno;

use crate::address::{SCOPE_HOST, SCOPE_LINK, SCOPE_UNIVERSE};
use crate::link::LOOPBACK;
use crate::machine::Machine;
use crate::route::{TABLE_LOCAL, Table, refusal, scope_of};

/// What is looked up (`struct flowi4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The interface it came in by; the loopback for what is sent from here.
    pub(crate) iif: u32,
    /// The only interface that it may leave by.
    pub(crate) oif: Option<u32>,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    /// Routes of a wider scope do not serve.
    pub(crate) scope: u8,
}

impl Flow {
    /// From this host, to an address.
    pub(crate) fn to(destination: Ipv4Addr) -> Self {
        Self { iif: LOOPBACK, oif: None, source: Ipv4Addr::UNSPECIFIED, destination, scope: SCOPE_UNIVERSE }
    }
}

/// Where what the host sends goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The interface it leaves by; the loopback for what is delivered here.
    pub(crate) dev: u32,
    pub(crate) source: Ipv4Addr,
    /// What the route says about the path's MTU, in bytes.
    pub(crate) mtu: Option<u32>,
}

impl Machine {
    /// The route of a flow.
    ///
    /// # Errors
    /// `ENETUNREACH` without one; else what a route or a rule refuses it with.
    pub(crate) fn lookup(&self, flow: &Flow) -> Result<RouteInfo, Errno> {
        for rule in self.rules.iter().filter(|rule| self.matches(rule, flow)) {
            let found = match rule.action {
                RuleAction::Lookup(table) => self.lookup_table(table, flow),
                RuleAction::Unreachable => Err(Errno::ENETUNREACH),
                RuleAction::Prohibit => Err(Errno::EACCES),
                RuleAction::Blackhole | RuleAction::Other(_) => Err(Errno::EINVAL),
            };
            match found {
                Err(Errno::EAGAIN) => {}
                found => return found,
            }
        }
        Err(Errno::ENETUNREACH)
    }

    /// No packet of this host carries a mark.
    fn matches(&self, rule: &RuleInfo, flow: &Flow) -> bool {
        let name = || self.links.get(flow.iif).map(|link| link.name.as_str());
        rule.iif.as_deref().is_none_or(|iif| name() == Some(iif))
            && rule.from.is_none_or(|net| net.contains(&flow.source))
            && rule.to.is_none_or(|net| net.contains(&flow.destination))
            && rule.fwmark.is_none_or(|FwMark { value, mask }| value & mask == 0)
    }

    /// The route of a flow in one table; `EAGAIN` without one, and of a route that says to go on.
    pub(crate) fn lookup_table(&self, table: u32, flow: &Flow) -> Result<RouteInfo, Errno> {
        let of = |table| self.tables.get(&table).into_iter().flat_map(|table: &Table| table.towards(flow.destination));
        let mut routes: Vec<&RouteInfo> = of(table).collect();
        // Until a rule is added, the local and the main table are one (`fib_trie_table`): of routes to one prefix those of
        // the local one come first.
        let other = match table {
            TABLE_LOCAL => TABLE_MAIN,
            TABLE_MAIN => TABLE_LOCAL,
            table => table,
        };
        if !self.custom_rules && other != table {
            routes.extend(of(other));
            routes.sort_by_key(|route| std::cmp::Reverse((route.destination.prefix_len(), route.table)));
        }
        for route in routes.into_iter().filter(|route| scope_of(route) >= flow.scope) {
            if let Some(error) = refusal(route.kind) {
                return Err(error);
            }
            if flow.oif.is_none_or(|oif| route.dev == Some(oif)) {
                return Ok(route.clone());
            }
        }
        Err(Errno::EAGAIN)
    }

    /// The route of the local table that delivers to an address here.
    pub(crate) fn local_route(&self, address: Ipv4Addr) -> Option<RouteInfo> {
        let flow = Flow { iif: LOOPBACK, ..Flow::to(address) };
        self.lookup_table(TABLE_LOCAL, &flow).ok().filter(|route| route.kind == RouteKind::Local)
    }

    /// Whether the local table delivers to an address here.
    pub(crate) fn is_local_in_table(&self, address: Ipv4Addr) -> bool {
        self.local_route(address).is_some()
    }

    /// The way and the source of what the host sends: `flow` with an unspecified source has one chosen. With
    /// `any_source`, a given one need not be the host's.
    ///
    /// # Errors
    /// What sendto(2) says about the route.
    pub(crate) fn way_out(&self, flow: &Flow, any_source: bool) -> Result<Way, Errno> {
        let (way, broadcast) = self.route_out(flow, any_source)?;
        // No socket of a program here asks for `SO_BROADCAST`.
        if broadcast || flow.destination.is_broadcast() { Err(Errno::EACCES) } else { Ok(way) }
    }

    /// As [`Machine::way_out`], for what the host itself answers: it may answer a broadcast address.
    pub(crate) fn way_back(&self, flow: &Flow) -> Result<Way, Errno> {
        self.route_out(flow, false).map(|(way, _)| way)
    }

    /// The source that a socket gets when it is connected to an address. A way from there is looked up once more
    /// (`ip_route_connect`), as rules may know sources.
    ///
    /// # Errors
    /// What connect(2) says about either route.
    pub(crate) fn source_towards(&self, destination: Ipv4Addr) -> Result<Ipv4Addr, Errno> {
        let (way, _) = self.route_out(&Flow::to(destination), false)?;
        self.way_out(&Flow { source: way.source, ..Flow::to(destination) }, false)?;
        Ok(way.source)
    }

    /// The way, and whether the route says that it is a broadcast.
    fn route_out(&self, flow: &Flow, any_source: bool) -> Result<(Way, bool), Errno> {
        let mut flow = *flow;
        let given = Some(flow.source).filter(|source| !source.is_unspecified());
        if let Some(source) = given {
            if source.is_multicast() || source.is_broadcast() || source.octets()[0] == 0 {
                return Err(Errno::EINVAL);
            }
            if flow.oif.is_none() && (flow.destination.is_multicast() || flow.destination.is_broadcast()) {
                // A group is sent to by the interface that has the source.
                let dev = self.interface_of(source).ok_or(Errno::ENETUNREACH)?;
                return Ok((Way { dev, source, mtu: None }, false));
            }
            if !any_source && !self.is_local(source) {
                return Err(Errno::ENETUNREACH);
            }
        }
        if let Some(oif) = flow.oif {
            let link = self.links.get(oif).ok_or(Errno::ENODEV)?;
            if !link.up {
                return Err(Errno::ENETUNREACH);
            }
            let near = |scope| self.select_address(oif, None, scope).unwrap_or(Ipv4Addr::UNSPECIFIED);
            if flow.destination.octets()[..3] == [224, 0, 0] || flow.destination.is_broadcast() {
                let source = given.unwrap_or_else(|| near(SCOPE_LINK));
                return Ok((Way { dev: oif, source, mtu: None }, false));
            }
            if given.is_none() && flow.destination.is_multicast() {
                flow.source = near(flow.scope);
            }
        }
        let route = match (self.lookup(&flow), flow.oif) {
            (Ok(route), _) => route,
            // Told the interface, the host takes the destination to be on its link.
            (Err(_), Some(dev)) => {
                let chosen = || self.select_address(dev, None, SCOPE_LINK).unwrap_or(Ipv4Addr::UNSPECIFIED);
                let source = if flow.source.is_unspecified() { chosen() } else { flow.source };
                return Ok((Way { dev, source, mtu: None }, false));
            }
            (Err(error), None) => return Err(error),
        };
        let known = Some(flow.source).filter(|source| !source.is_unspecified());
        if route.kind == RouteKind::Local {
            let source = known.or(route.source).unwrap_or(flow.destination);
            return Ok((Way { dev: LOOPBACK, source, mtu: route.mtu }, false));
        }
        let dev = route.dev.ok_or(Errno::ENETUNREACH)?;
        let chosen = || route.source.or_else(|| self.select_address(dev, route.via, scope_of(&route).min(SCOPE_HOST)));
        let source = known.or_else(chosen).unwrap_or(Ipv4Addr::UNSPECIFIED);
        if source.is_loopback() {
            return Err(Errno::EINVAL);
        }
        let broadcast = route.kind == RouteKind::Broadcast && !flow.destination.is_multicast();
        Ok((Way { dev, source, mtu: route.mtu }, broadcast))
    }
}

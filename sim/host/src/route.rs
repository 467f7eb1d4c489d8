//! Routing tables: what may be added to them, and what stands for what (`net/ipv4/fib_trie.c`,
//! `net/ipv4/fib_semantics.c`; ip-route(8)).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dz_net::kernel::{Change, RouteInfo, RouteKind, TABLE_MAIN};
use ipnet::Ipv4Net;
use nix::errno::Errno;

use crate::address::{SCOPE_HOST, SCOPE_LINK, SCOPE_UNIVERSE};
use crate::link::LOOPBACK;
use crate::lookup::Flow;
use crate::machine::Machine;

/// The table of what is delivered here.
pub(crate) const TABLE_LOCAL: u32 = 255;
/// `rtm_protocol` of what the kernel makes itself.
pub(crate) const RTPROT_KERNEL: u8 = 2;

/// How far a route's destination is: the scope in rtnetlink of a route of that kind, and of the kernel's own.
pub(crate) fn scope_of(route: &RouteInfo) -> u8 {
    match (route.kind, route.via) {
        (RouteKind::Local, _) => SCOPE_HOST,
        (RouteKind::Unicast | RouteKind::Broadcast, None) => SCOPE_LINK,
        _ => SCOPE_UNIVERSE,
    }
}

/// What a lookup that meets a route of this kind fails with; none for those that lead somewhere (`fib_props`).
pub(crate) fn refusal(kind: RouteKind) -> Option<Errno> {
    match kind {
        RouteKind::Blackhole => Some(Errno::EINVAL),
        RouteKind::Unreachable => Some(Errno::EHOSTUNREACH),
        RouteKind::Prohibit => Some(Errno::EACCES),
        RouteKind::Throw => Some(Errno::EAGAIN),
        RouteKind::Unicast | RouteKind::Local | RouteKind::Broadcast | RouteKind::Other(_) => None,
    }
}

/// One table. Routes to one destination are tried in the order of their metric, and of equal ones in their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    routes: BTreeMap<(u8, Ipv4Addr), Vec<RouteInfo>>,
}

impl Table {
    /// The routes to whatever contains `address`, the narrowest first.
    pub(crate) fn towards(&self, address: Ipv4Addr) -> impl Iterator<Item = &RouteInfo> {
        let mut lengths: Vec<u8> = Vec::new();
        let mut at = u8::MAX;
        while let Some(((length, _), _)) = self.routes.range(..(at, Ipv4Addr::UNSPECIFIED)).next_back() {
            lengths.push(*length);
            at = *length;
        }
        let of = move |length: u8| {
            let net = Ipv4Net::new_assert(address, length).network();
            self.routes.get(&(length, net)).into_iter().flatten()
        };
        lengths.into_iter().flat_map(of)
    }

    fn iter(&self) -> impl Iterator<Item = &RouteInfo> {
        self.routes.values().flatten()
    }

    fn to(&mut self, destination: Ipv4Net) -> &mut Vec<RouteInfo> {
        self.routes.entry((destination.prefix_len(), destination.network())).or_default()
    }

    fn retain(&mut self, keep: impl Fn(&RouteInfo) -> bool) {
        self.routes.retain(|_, routes| {
            routes.retain(&keep);
            !routes.is_empty()
        });
    }
}

/// What is done about routes of the same destination and metric.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meeting {
    /// Refused (`NLM_F_EXCL`).
    Refuse,
    /// The first of them makes way (`NLM_F_REPLACE`).
    Replace,
    /// Put behind them (`NLM_F_APPEND`), as the kernel does with its own.
    Append,
}

impl Machine {
    /// All routes of all tables, sorted.
    pub(crate) fn routes(&self) -> Vec<RouteInfo> {
        let mut routes: Vec<_> = self.tables.values().flat_map(Table::iter).cloned().collect();
        routes.sort();
        routes
    }

    /// `ip route add`.
    pub(crate) fn add_route(&mut self, route: &RouteInfo) -> Result<(), Errno> {
        self.insert_by_hand(route, Meeting::Refuse)
    }

    /// `ip route replace`.
    pub(crate) fn replace_route(&mut self, route: &RouteInfo) -> Result<(), Errno> {
        self.insert_by_hand(route, Meeting::Replace)
    }

    fn insert_by_hand(&mut self, route: &RouteInfo, meeting: Meeting) -> Result<(), Errno> {
        self.insert_route(route, meeting)?;
        self.custom_local_routes |= route.kind == RouteKind::Local;
        Ok(())
    }

    /// `ip route append`.
    pub(crate) fn append_route(&mut self, route: &RouteInfo) -> Result<(), Errno> {
        self.insert_route(route, Meeting::Append)
    }

    /// `ip route del`: the first that agrees in all that is given (`fib_table_delete`).
    pub(crate) fn delete_route(&mut self, route: &RouteInfo) -> Result<(), Errno> {
        let agrees = |other: &RouteInfo| {
            other.kind == route.kind
                && scope_of(other) == scope_of(route)
                && (route.metric == 0 || other.metric == route.metric)
                && route.source.is_none_or(|source| other.source == Some(source))
                && (route.protocol == 0 || other.protocol == route.protocol)
                && route.dev.is_none_or(|dev| other.dev == Some(dev))
                && route.via.is_none_or(|via| other.via == Some(via))
                && route.mtu.is_none_or(|mtu| other.mtu == Some(mtu))
        };
        let table = self.tables.get_mut(&route.table).ok_or(Errno::ESRCH)?;
        let routes = table.to(route.destination);
        let found = routes.iter().position(agrees);
        if let Some(at) = found {
            routes.remove(at);
        }
        table.retain(|_| true);
        found.ok_or(Errno::ESRCH)?;
        self.watchers.notify(Change::Route);
        Ok(())
    }

    /// Removes routes without saying so to anyone, as the kernel does when an interface goes down (`fib_flush`).
    pub(crate) fn flush_routes(&mut self, gone: impl Fn(&RouteInfo) -> bool) {
        self.tables.values_mut().for_each(|table| table.retain(|route| !gone(route)));
    }

    /// `fib_table_insert`.
    fn insert_route(&mut self, route: &RouteInfo, meeting: Meeting) -> Result<(), Errno> {
        let route = self.complete(route)?;
        let routes = self.tables.entry(route.table).or_default().to(route.destination);
        let first = routes.iter().position(|other| other.metric >= route.metric).unwrap_or(routes.len());
        let equals = routes[first..].iter().take_while(|other| other.metric == route.metric).count();
        let same = routes[first..first + equals].iter().position(|other| *other == route);
        match (meeting, equals) {
            (_, 0) => routes.insert(first, route),
            (Meeting::Refuse, _) => return Err(Errno::EEXIST),
            (Meeting::Replace, _) => match same {
                // It is there, and first: nothing changes.
                Some(0) => return Ok(()),
                Some(_) => return Err(Errno::EEXIST),
                None => routes[first] = route,
            },
            (Meeting::Append, _) if same.is_some() => return Err(Errno::EEXIST),
            (Meeting::Append, equals) => routes.insert(first + equals, route),
        }
        self.watchers.notify(Change::Route);
        Ok(())
    }

    /// The route as it is kept, if it can be (`fib_create_info`).
    fn complete(&self, route: &RouteInfo) -> Result<RouteInfo, Errno> {
        let mut route = RouteInfo { destination: route.destination.trunc(), ..route.clone() };
        match route.kind {
            RouteKind::Other(_) => return Err(Errno::EINVAL),
            // What is on the link has no gateway, and what is here has none either.
            RouteKind::Local | RouteKind::Broadcast if route.via.is_some() => return Err(Errno::EINVAL),
            kind if refusal(kind).is_some() => {
                let leads = route.via.is_some() || route.dev.is_some();
                return if leads { Err(Errno::EINVAL) } else { Ok(route) };
            }
            RouteKind::Local => {
                self.links.get(route.dev.unwrap_or_default()).ok_or(Errno::ENODEV)?;
            }
            _ => match route.via {
                Some(via) => route.dev = Some(self.gateway_device(&route, via)?),
                None => {
                    let link = self.links.get(route.dev.unwrap_or_default()).ok_or(Errno::ENODEV)?;
                    if !link.up {
                        return Err(Errno::ENETDOWN);
                    }
                }
            },
        }
        if let Some(source) = route.source
            // A route that delivers here may prefer what it begins with itself.
            && !(route.kind == RouteKind::Local && route.destination.network() == source)
            && !self.may_be_preferred(source, route.table)
        {
            return Err(Errno::EINVAL);
        }
        Ok(route)
    }

    /// Whether the local table delivers to an address here, or the table of the route that prefers it (`fib_valid_prefsrc`).
    fn may_be_preferred(&self, source: Ipv4Addr, table: u32) -> bool {
        let own = || self.lookup_table(table, &Flow::to(source)).is_ok_and(|route| route.kind == RouteKind::Local);
        self.is_local_in_table(source) || (table != TABLE_MAIN && own())
    }

    /// The interface behind which a gateway is (`fib_check_nh_v4_gw`): something nearer than the route itself leads there.
    fn gateway_device(&self, route: &RouteInfo, via: Ipv4Addr) -> Result<u32, Errno> {
        let flow = Flow { iif: LOOPBACK, oif: route.dev, scope: SCOPE_LINK, ..Flow::to(via) };
        let own = match route.table {
            TABLE_MAIN => None,
            table => self.lookup_table(table, &flow).ok(),
        };
        let found = match own {
            Some(found) => found,
            None => self.lookup(&flow)?,
        };
        if !matches!(found.kind, RouteKind::Unicast | RouteKind::Local) {
            return Err(Errno::EINVAL);
        }
        let dev = found.dev.ok_or(Errno::EINVAL)?;
        match self.links.get(dev) {
            Some(link) if link.up => Ok(dev),
            _ => Err(Errno::ENETDOWN),
        }
    }
}

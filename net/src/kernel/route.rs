//! IPv4 unicast routes. Multicast forwarding is no business of these tables: see the module for multicast routing.

use std::net::Ipv4Addr;
use std::sync::PoisonError;

use ipnet::Ipv4Net;
use rtnetlink::packet_core::Emitable;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};

use super::error::{Added, Deleted, NetlinkError, added, deleted};
use super::{Netlink, RTPROT_DZ, TABLE_MAIN, protocol};
use crate::raw_netlink::{ACK, CREATE, EXCLUSIVE, Message, REPLACE};

/// What a route does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// Sends it on.
    Unicast,
    /// Delivers it here.
    Local,
    /// Delivers it here as a broadcast.
    Broadcast,
    /// Drops it in silence.
    Blackhole,
    /// Drops it and reports host unreachable.
    Unreachable,
    /// Drops it and reports administratively prohibited.
    Prohibit,
    /// Continues with the next rule.
    Throw,
    /// Another number of rtnetlink(7).
    Other(u8),
}

/// One route of one table. Two routes are the same to the kernel when table, destination and metric agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteInfo {
    /// Number of the table; [`TABLE_MAIN`] is what lookups end in.
    pub table: u32,
    /// What it is for.
    pub destination: Ipv4Net,
    /// Preference among routes to the same destination: lowest wins.
    pub metric: u32,
    /// What it does.
    pub kind: RouteKind,
    /// The next hop; none where the destination is on the link.
    pub via: Option<Ipv4Addr>,
    /// Index of the link it leaves by; the kernel finds it from `via` if none.
    pub dev: Option<u32>,
    /// Preferred source of what is sent from here.
    pub source: Option<Ipv4Addr>,
    /// Path MTU in bytes, if it is not the link's.
    pub mtu: Option<u32>,
    /// Who made it.
    pub protocol: u8,
}

impl RouteInfo {
    /// A unicast route of the main table made by the products; it needs a `via` or a `dev`.
    pub fn unicast(destination: Ipv4Net) -> Self {
        Self {
            table: TABLE_MAIN,
            destination,
            metric: 0,
            kind: RouteKind::Unicast,
            via: None,
            dev: None,
            source: None,
            mtu: None,
            protocol: RTPROT_DZ,
        }
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = AddressFamily::Inet;
        header.destination_prefix_length = self.destination.prefix_len();
        header.protocol = protocol(self.protocol);
        header.kind = self.kind.into();
        header.scope = match (self.kind, self.via) {
            (RouteKind::Local, _) => RouteScope::Host,
            (RouteKind::Unicast | RouteKind::Broadcast, None) => RouteScope::Link,
            _ => RouteScope::Universe,
        };
        // Tables above 255 do not fit the header and go into an attribute, rtnetlink(7).
        header.table = u8::try_from(self.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Table(self.table));
        if self.destination.prefix_len() > 0 {
            attributes.push(RouteAttribute::Destination(RouteAddress::Inet(self.destination.network())));
        }
        attributes.extend(self.via.map(|via| RouteAttribute::Gateway(RouteAddress::Inet(via))));
        attributes.extend(self.dev.map(RouteAttribute::Oif));
        attributes.extend(self.source.map(|source| RouteAttribute::PrefSource(RouteAddress::Inet(source))));
        attributes.extend(self.mtu.map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])));
        if self.metric > 0 {
            attributes.push(RouteAttribute::Priority(self.metric));
        }
        message
    }

    fn read(message: RouteMessage) -> Option<Self> {
        let header = message.header;
        let mut route = Self {
            table: header.table.into(),
            destination: Ipv4Net::new(Ipv4Addr::UNSPECIFIED, header.destination_prefix_length).ok()?,
            metric: 0,
            kind: header.kind.into(),
            via: None,
            dev: None,
            source: None,
            mtu: None,
            protocol: header.protocol.into(),
        };
        for attribute in message.attributes {
            match attribute {
                RouteAttribute::Table(table) => route.table = table,
                RouteAttribute::Destination(RouteAddress::Inet(address)) => {
                    route.destination = Ipv4Net::new(address, header.destination_prefix_length).ok()?;
                }
                RouteAttribute::Priority(metric) => route.metric = metric,
                RouteAttribute::Gateway(RouteAddress::Inet(via)) => route.via = Some(via),
                RouteAttribute::Oif(dev) => route.dev = Some(dev),
                RouteAttribute::PrefSource(RouteAddress::Inet(source)) => route.source = Some(source),
                RouteAttribute::Metrics(metrics) => {
                    route.mtu = metrics.into_iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) => Some(mtu),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        Some(route)
    }

    fn name(&self) -> String {
        format!("route to {} in table {}", self.destination, self.table)
    }
}

impl Netlink {
    /// All IPv4 routes of all tables, sorted; what the kernel made itself (local table, connected routes) included.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn routes(&self) -> Result<Vec<RouteInfo>, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        let read = |answer| match answer {
            RouteNetlinkMessage::NewRoute(message) if message.header.address_family == AddressFamily::Inet => {
                RouteInfo::read(message)
            }
            _ => None,
        };
        let mut routes = self.dump("list routes", RouteNetlinkMessage::GetRoute(message), read).await?;
        routes.sort();
        Ok(routes)
    }

    /// Adds a route. [`Added::Existed`]: there is one of the same table, destination and metric.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn add_route(&self, route: &RouteInfo) -> Result<Added, NetlinkError> {
        tracing::trace!(?route, "add route");
        added(self.change_route(Request::Add, route))
    }

    /// Puts a route in the place of that of the same table, destination and metric in one step, or adds it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn replace_route(&self, route: &RouteInfo) -> Result<(), NetlinkError> {
        tracing::trace!(?route, "replace route");
        self.change_route(Request::Replace, route)
    }

    /// Deletes a route that agrees in all that is given.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn delete_route(&self, route: &RouteInfo) -> Result<Deleted, NetlinkError> {
        tracing::trace!(?route, "delete route");
        deleted(self.change_route(Request::Delete, route))
    }

    /// Makes these changes in this order, many with one request.
    ///
    /// # Errors
    /// The kernel refuses one; whether those after it were made is open.
    pub async fn change_routes(&self, changes: &[RouteChange]) -> Result<(), NetlinkError> {
        /// A request holds up all else on the thread, this one for a millisecond or two.
        const AT_ONCE: usize = 128;
        for some in changes.chunks(AT_ONCE) {
            tracing::trace!(changes = some.len(), "change routes");
            let requests: Vec<_> = some.iter().map(RouteChange::request).collect();
            let refused = self.request_routes(&requests)?;
            let failed = refused.into_iter().find(|(change, error)| {
                // What was to go is not there.
                !(matches!(some[*change], RouteChange::Delete(_)) && matches!(error, NetlinkError::NotFound { .. }))
            });
            if let Some((_, error)) = failed {
                return Err(error);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn change_route(&self, request: Request, route: &RouteInfo) -> Result<(), NetlinkError> {
        match self.request_routes(&[(request, route)])?.pop() {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// What the kernel refused, and what it says of that.
    fn request_routes(&self, requests: &[(Request, &RouteInfo)]) -> Result<Vec<(usize, NetlinkError)>, NetlinkError> {
        let last = requests.len().saturating_sub(1);
        let messages = requests.iter().enumerate().map(|(number, (request, route))| {
            // Of the others only what they are refused for is answered.
            request.message(route, if number == last { ACK } else { 0 })
        });
        let refused = self.routes.lock().unwrap_or_else(PoisonError::into_inner).refusals(messages.collect());
        let refused = refused.map_err(|source| NetlinkError::Refused { what: "change routes".to_owned(), source })?;
        let named = refused.into_iter().map(|(number, error)| {
            let (request, route) = requests[number];
            let what = || format!("{}: {}", route.name(), request.verb());
            (number, NetlinkError::refused(what, error.raw_os_error().unwrap_or(libc::EIO)))
        });
        Ok(named.collect())
    }
}

/// One of several changes of routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// It is put in the place of that of the same table, destination and metric, or added.
    Replace(RouteInfo),
    /// It is deleted if it is there.
    Delete(RouteInfo),
}

impl RouteChange {
    fn request(&self) -> (Request, &RouteInfo) {
        match self {
            Self::Replace(route) => (Request::Replace, route),
            Self::Delete(route) => (Request::Delete, route),
        }
    }
}

/// What is asked of the kernel for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Add,
    Replace,
    Delete,
}

impl Request {
    fn verb(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }

    fn message(self, route: &RouteInfo, flags: u16) -> Message {
        let (kind, own) = match self {
            Self::Add => (libc::RTM_NEWROUTE, CREATE | EXCLUSIVE),
            Self::Replace => (libc::RTM_NEWROUTE, CREATE | REPLACE),
            Self::Delete => (libc::RTM_DELROUTE, 0),
        };
        let message = route.message();
        let mut body = vec![0; message.buffer_len()];
        message.emit(&mut body);
        Message::new(kind, own | flags, &body)
    }
}

impl From<RouteKind> for RouteType {
    fn from(kind: RouteKind) -> Self {
        match kind {
            RouteKind::Unicast => Self::Unicast,
            RouteKind::Local => Self::Local,
            RouteKind::Broadcast => Self::Broadcast,
            RouteKind::Blackhole => Self::BlackHole,
            RouteKind::Unreachable => Self::Unreachable,
            RouteKind::Prohibit => Self::Prohibit,
            RouteKind::Throw => Self::Throw,
            RouteKind::Other(number) => Self::from(number),
        }
    }
}

impl From<RouteType> for RouteKind {
    fn from(kind: RouteType) -> Self {
        match kind {
            RouteType::Unicast => Self::Unicast,
            RouteType::Local => Self::Local,
            RouteType::Broadcast => Self::Broadcast,
            RouteType::BlackHole => Self::Blackhole,
            RouteType::Unreachable => Self::Unreachable,
            RouteType::Prohibit => Self::Prohibit,
            RouteType::Throw => Self::Throw,
            other => Self::Other(other.into()),
        }
    }
}

//! IPv4 unicast routes. Multicast forwarding is no business of these tables: see the module for multicast routing.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};

use super::error::{Added, Deleted, NetlinkError, added, deleted};
use super::{Netlink, RTPROT_DZ, TABLE_MAIN, protocol};

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
        let result = self.handle.route().add(route.message()).execute().await;
        added(|| format!("{}: add", route.name()), result)
    }

    /// Puts a route in the place of that of the same table, destination and metric in one step, or adds it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn replace_route(&self, route: &RouteInfo) -> Result<(), NetlinkError> {
        tracing::trace!(?route, "replace route");
        let result = self.handle.route().add(route.message()).replace().execute().await;
        result.map_err(|e| NetlinkError::new(|| format!("{}: replace", route.name()), e))
    }

    /// Deletes a route that agrees in all that is given.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn delete_route(&self, route: &RouteInfo) -> Result<Deleted, NetlinkError> {
        tracing::trace!(?route, "delete route");
        let result = self.handle.route().del(route.message()).execute().await;
        deleted(|| format!("{}: delete", route.name()), result)
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

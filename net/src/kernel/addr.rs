//! IPv4 addresses of links.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage, AddressProtocol, AddressScope};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};

use super::error::{Added, Deleted, NetlinkError, added, deleted};
use super::{Netlink, RTPROT_DZ};

/// Where an address is valid, which decides when the kernel picks it as a default source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everywhere.
    Global,
    /// On its link only: never picked as a source for farther destinations.
    Link,
    /// On this host only.
    Host,
    /// Another number of rtnetlink(7).
    Other(u8),
}

/// An IPv4 address on a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AddrInfo {
    /// The link's index.
    pub index: u32,
    /// The address with the length of its prefix.
    pub address: Ipv4Net,
    /// The far end of a point-to-point address, else none.
    pub peer: Option<Ipv4Addr>,
    /// Where it is valid.
    pub scope: Scope,
    /// Who made it (`IFA_PROTO`); 0 where the kernel (before 5.18) does not keep it.
    pub protocol: u8,
}

impl AddrInfo {
    /// A global address made by the products.
    pub fn new(index: u32, address: Ipv4Net) -> Self {
        Self { index, address, peer: None, scope: Scope::Global, protocol: RTPROT_DZ }
    }

    /// The same address in another scope.
    pub fn scoped(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = self.address.prefix_len();
        message.header.index = self.index;
        message.header.scope = self.scope.into();
        let local = self.address.addr();
        message.attributes =
            vec![AddressAttribute::Local(local.into()), AddressAttribute::Address(self.peer.unwrap_or(local).into())];
        if self.protocol != 0 {
            message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(self.protocol)));
        }
        message
    }

    fn read(message: AddressMessage) -> Option<Self> {
        let (mut local, mut far, mut protocol) = (None, None, 0);
        for attribute in message.attributes {
            match attribute {
                AddressAttribute::Local(IpAddr::V4(address)) => local = Some(address),
                AddressAttribute::Address(IpAddr::V4(address)) => far = Some(address),
                AddressAttribute::Protocol(number) => protocol = number.into(),
                _ => {}
            }
        }
        let local = local.or(far)?;
        Some(Self {
            index: message.header.index,
            address: Ipv4Net::new(local, message.header.prefix_len).ok()?,
            peer: far.filter(|far| *far != local),
            scope: message.header.scope.into(),
            protocol,
        })
    }
}

impl Netlink {
    /// All IPv4 addresses of the namespace, sorted.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn addrs(&self) -> Result<Vec<AddrInfo>, NetlinkError> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        let read = |answer| match answer {
            RouteNetlinkMessage::NewAddress(message) if message.header.family == AddressFamily::Inet => {
                AddrInfo::read(message)
            }
            _ => None,
        };
        let mut addrs = self.dump("list addresses", RouteNetlinkMessage::GetAddress(message), read).await?;
        addrs.sort();
        Ok(addrs)
    }

    /// Adds an address to its link.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn add_addr(&self, addr: &AddrInfo) -> Result<Added, NetlinkError> {
        tracing::trace!(?addr, "add address");
        let mut request = self.handle.address().add(addr.index, addr.address.addr().into(), addr.address.prefix_len());
        *request.message_mut() = addr.message();
        let failed = |e| NetlinkError::new(|| format!("address {} on link {}: add", addr.address, addr.index), e);
        added(request.execute().await.map_err(failed))
    }

    /// Deletes an address from its link.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn delete_addr(&self, addr: &AddrInfo) -> Result<Deleted, NetlinkError> {
        tracing::trace!(?addr, "delete address");
        let result = self.handle.address().del(addr.message()).execute().await;
        let failed = |e| NetlinkError::new(|| format!("address {} on link {}: delete", addr.address, addr.index), e);
        deleted(result.map_err(failed))
    }
}

impl From<Scope> for AddressScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Global => Self::Universe,
            Scope::Link => Self::Link,
            Scope::Host => Self::Host,
            Scope::Other(number) => Self::from(number),
        }
    }
}

impl From<AddressScope> for Scope {
    fn from(scope: AddressScope) -> Self {
        match scope {
            AddressScope::Universe => Self::Global,
            AddressScope::Link => Self::Link,
            AddressScope::Host => Self::Host,
            other => Self::Other(u8::from(other)),
        }
    }
}

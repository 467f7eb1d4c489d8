//! Reading and changing the host: tunnels through either backend, addresses and routes through netlink, group
//! memberships through sockets.
//!
//! A membership lives as long as the socket that asked for it, so it ends with the daemon and is made anew by the
//! next one; everything else stays as a killed daemon left it and is adopted.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_net::{
    gre::{TunnelError, TunnelSpec, Tunnels},
    kernel::{AddrInfo, Netlink, NetlinkError, RTPROT_DZ, RouteInfo, Scope, TABLE_MAIN, sysctl},
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::{
    changes::{Action, Actual, ActualTunnel, Address, Change, RouteKey},
    desired::{TUNNEL_MTU, TUNNEL_TTL},
    names,
};

/// Why the host could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum KernelError {
    /// A tunnel.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// An address, a route, a link.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// How the host filters what a tunnel receives.
    #[error(transparent)]
    Sysctl(#[from] sysctl::SysctlError),
    /// A group.
    #[error("{name}: cannot join {group}: {source}")]
    Membership {
        /// The interface.
        name: String,
        /// The group.
        group: Ipv4Addr,
        /// Why.
        source: std::io::Error,
    },
}

/// What a host was found to have.
pub(super) struct Found {
    /// The daemon's tunnels.
    pub(super) tunnels: Actual,
    /// Addresses of everything else.
    pub(super) addresses: BTreeSet<Ipv4Addr>,
}

/// The part of the host that is the daemon's.
pub(super) struct Kernel {
    tunnels: Box<dyn Tunnels>,
    netlink: Netlink,
    /// The sockets that hold memberships, by interface index: an interface that was remade has none.
    memberships: BTreeMap<(u32, Ipv4Addr), Socket>,
}

impl Kernel {
    /// The host of the calling thread's network namespace.
    pub(super) fn new(tunnels: Box<dyn Tunnels>, netlink: Netlink) -> Self {
        Self { tunnels, netlink, memberships: BTreeMap::new() }
    }

    /// What there is.
    pub(super) async fn read(&mut self) -> Result<Found, KernelError> {
        let (mut actual, mut addresses) = (Actual::new(), BTreeSet::new());
        let mut by_index = BTreeMap::new();
        let links = self.netlink.links().await?;
        // Who leaves an interface by deleting it has left its groups: such a socket holds nothing any more.
        self.memberships.retain(|(index, _), _| links.iter().any(|link| link.index == *index));
        for tunnel in self.tunnels.list().await? {
            let TunnelSpec { name, local, remote, .. } = tunnel.spec;
            if !names::is_ours(&name) {
                continue;
            }
            by_index.insert(tunnel.ifindex, name.clone());
            let memberships = self.memberships.keys().filter(|(index, _)| *index == tunnel.ifindex);
            let have = ActualTunnel {
                pair: Some((local, remote)),
                ifindex: tunnel.ifindex,
                up: links.iter().any(|link| link.index == tunnel.ifindex && link.up),
                strict: is_strict(&name)?,
                memberships: memberships.map(|(_, group)| *group).collect(),
                ..ActualTunnel::default()
            };
            actual.insert(name, have);
        }
        for addr in self.netlink.addrs().await? {
            match by_index.get(&addr.index).and_then(|name| actual.get_mut(name)) {
                Some(tunnel) => {
                    let address = Address { net: addr.address, link_scope: addr.scope == Scope::Link };
                    tunnel.addresses.insert(address);
                }
                None => {
                    addresses.insert(addr.address.addr());
                }
            }
        }
        for route in self.netlink.routes().await? {
            if route.protocol == RTPROT_DZ
                && route.table == TABLE_MAIN
                && let Some(name) = route.dev.and_then(|index| by_index.get(&index))
                && let Some(tunnel) = actual.get_mut(name)
            {
                let key = RouteKey { destination: route.destination, metric: route.metric };
                tunnel.routes.insert(key, route.source);
            }
        }
        Ok(Found { tunnels: actual, addresses })
    }

    /// Makes one change. What is so already is fine.
    pub(super) async fn apply(&mut self, change: &Change) -> Result<(), KernelError> {
        let name = &change.name;
        match &change.action {
            Action::Delete => match self.tunnels.delete(name).await {
                Ok(()) | Err(TunnelError::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            },
            Action::Create { local, remote } => {
                let spec =
                    TunnelSpec { name: name.clone(), local: *local, remote: *remote, ttl: TUNNEL_TTL, mtu: TUNNEL_MTU };
                self.tunnels.create(&spec).await?;
                Ok(())
            }
            Action::AcceptAnySource => Ok(sysctl::write(&rp_filter(name), LOOSE)?),
            Action::Up => Ok(self.netlink.set_link_up(self.index(name).await?, true).await?),
            Action::AddAddress(address) => {
                let _ = self.netlink.add_addr(&self.addr(name, *address).await?).await?;
                Ok(())
            }
            Action::RemoveAddress(address) => {
                self.netlink.delete_addr(&self.addr(name, *address).await?).await?;
                Ok(())
            }
            Action::SetRoute { key, source } => {
                let route = self.route(name, *key).await?;
                Ok(self.netlink.replace_route(&RouteInfo { source: Some(*source), ..route }).await?)
            }
            Action::RemoveRoute(key) => {
                self.netlink.delete_route(&self.route(name, *key).await?).await?;
                Ok(())
            }
            Action::Join(group) => {
                let index = self.index(name).await?;
                let failed = |source| KernelError::Membership { name: name.clone(), group: *group, source };
                self.memberships.insert((index, *group), join(index, *group).map_err(failed)?);
                Ok(())
            }
            Action::Leave(group) => {
                let index = self.index(name).await?;
                self.memberships.remove(&(index, *group));
                Ok(())
            }
        }
    }

    async fn index(&self, name: &str) -> Result<u32, KernelError> {
        Ok(self.netlink.link_index(name).await?)
    }

    async fn addr(&self, name: &str, address: Address) -> Result<AddrInfo, KernelError> {
        let scope = if address.link_scope { Scope::Link } else { Scope::Global };
        Ok(AddrInfo::new(self.index(name).await?, address.net).scoped(scope))
    }

    async fn route(&self, name: &str, key: RouteKey) -> Result<RouteInfo, KernelError> {
        let dev = Some(self.index(name).await?);
        Ok(RouteInfo { dev, metric: key.metric, ..RouteInfo::unicast(key.destination) })
    }
}

/// Loose reverse path filtering (RFC 3704 section 2.4).
const LOOSE: &str = "2";

fn rp_filter(interface: &str) -> String {
    format!("net/ipv4/conf/{interface}/rp_filter")
}

/// True when the kernel drops what comes by an interface from a source that is routed elsewhere, as publishers are.
/// Of the interface's value and the one for all interfaces, the higher counts: 0 is none, 1 strict, 2 loose.
fn is_strict(interface: &str) -> Result<bool, sysctl::SysctlError> {
    let values = [sysctl::read(&rp_filter("all"))?, sysctl::read(&rp_filter(interface))?];
    Ok(values.contains(&"1".to_owned()) && !values.contains(&LOOSE.to_owned()))
}

fn join(index: u32, group: Ipv4Addr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
    Ok(socket)
}

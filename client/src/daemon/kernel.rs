//! Reading and changing the host: tunnels through either backend, addresses and routes through netlink, group
//! memberships through sockets.
//!
//! A membership lives as long as the socket that asked for it, so it ends with the daemon and is made anew by the
//! next one; everything else stays as a killed daemon left it and is adopted.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_net::{
    gre::{TunnelError, TunnelSpec, Tunnels},
    kernel::{AddrInfo, Netlink, NetlinkError, RTPROT_DZ, RouteInfo, Scope, TABLE_MAIN},
};
use ipnet::Ipv4Net;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::{
    changes::{Actual, ActualTunnel, Change},
    desired::{TUNNEL_MTU, TUNNEL_TTL},
    names,
};

/// Why the host could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A tunnel.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// An address, a route, a link.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
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

/// The part of the host that is the daemon's.
pub struct Kernel {
    tunnels: Box<dyn Tunnels>,
    netlink: Netlink,
    /// The sockets that hold memberships, by interface index: an interface that was remade has none.
    memberships: BTreeMap<(u32, Ipv4Addr), Socket>,
}

impl Kernel {
    /// The host of the calling thread's network namespace.
    pub fn new(tunnels: Box<dyn Tunnels>, netlink: Netlink) -> Self {
        Self { tunnels, netlink, memberships: BTreeMap::new() }
    }

    /// What there is.
    pub async fn read(&self) -> Result<Actual, KernelError> {
        let mut actual = Actual::new();
        let mut by_index = BTreeMap::new();
        let links = self.netlink.links().await?;
        for tunnel in self.tunnels.list().await? {
            let TunnelSpec { name, local, remote, .. } = tunnel.spec;
            if !names::is_ours(&name) {
                continue;
            }
            by_index.insert(tunnel.ifindex, name.clone());
            let memberships = self.memberships.keys().filter(|(index, _)| *index == tunnel.ifindex);
            let have = ActualTunnel {
                pair: Some((local, remote)),
                up: links.iter().any(|link| link.index == tunnel.ifindex && link.up),
                memberships: memberships.map(|(_, group)| *group).collect(),
                ..ActualTunnel::default()
            };
            actual.insert(name, have);
        }
        let mut of = |index: u32| by_index.get(&index).and_then(|name| actual.get_mut(name));
        for addr in self.netlink.addrs().await? {
            if let Some(tunnel) = of(addr.index) {
                tunnel.addresses.insert(addr.address);
            }
        }
        for route in self.netlink.routes().await? {
            if route.protocol == RTPROT_DZ
                && route.table == TABLE_MAIN
                && let Some(tunnel) = route.dev.and_then(&mut of)
            {
                tunnel.routes.insert(route.destination, route.source);
            }
        }
        Ok(actual)
    }

    /// Makes one change. What is so already is fine.
    pub async fn apply(&mut self, change: &Change) -> Result<(), KernelError> {
        match change {
            Change::Delete { name } => match self.tunnels.delete(name).await {
                Ok(()) | Err(TunnelError::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            },
            Change::Create { name, local, remote } => {
                let spec =
                    TunnelSpec { name: name.clone(), local: *local, remote: *remote, ttl: TUNNEL_TTL, mtu: TUNNEL_MTU };
                self.tunnels.create(&spec).await?;
                Ok(())
            }
            Change::Up { name } => Ok(self.netlink.set_link_up(self.index(name).await?, true).await?),
            Change::AddAddress { name, address, link_scope } => {
                let addr = self.addr(name, *address).await?;
                // A link-scope address is never picked as a source by itself, so the overlay address cannot leak.
                let addr = if *link_scope { addr.scoped(Scope::Link) } else { addr };
                let _ = self.netlink.add_addr(&addr).await?;
                Ok(())
            }
            Change::RemoveAddress { name, address } => {
                self.netlink.delete_addr(&self.addr(name, *address).await?).await?;
                Ok(())
            }
            Change::SetRoute { name, destination, source } => {
                let route = self.route(name, *destination).await?;
                Ok(self.netlink.replace_route(&RouteInfo { source: Some(*source), ..route }).await?)
            }
            Change::RemoveRoute { name, destination } => {
                self.netlink.delete_route(&self.route(name, *destination).await?).await?;
                Ok(())
            }
            Change::Join { name, group } => {
                let index = self.index(name).await?;
                let socket = join(index, *group).map_err(|source| KernelError::Membership {
                    name: name.clone(),
                    group: *group,
                    source,
                })?;
                self.memberships.insert((index, *group), socket);
                Ok(())
            }
            Change::Leave { name, group } => {
                let index = self.index(name).await?;
                self.memberships.remove(&(index, *group));
                Ok(())
            }
        }
    }

    /// Forgets memberships of interfaces that are gone: their sockets hold nothing any more.
    pub async fn forget_gone(&mut self) -> Result<(), KernelError> {
        let links = self.netlink.links().await?;
        self.memberships.retain(|(index, _), _| links.iter().any(|link| link.index == *index));
        Ok(())
    }

    async fn index(&self, name: &str) -> Result<u32, KernelError> {
        Ok(self.netlink.link_index(name).await?)
    }

    async fn addr(&self, name: &str, address: Ipv4Net) -> Result<AddrInfo, KernelError> {
        Ok(AddrInfo::new(self.index(name).await?, address))
    }

    async fn route(&self, name: &str, destination: Ipv4Net) -> Result<RouteInfo, KernelError> {
        Ok(RouteInfo { dev: Some(self.index(name).await?), ..RouteInfo::unicast(destination) })
    }
}

fn join(index: u32, group: Ipv4Addr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
    Ok(socket)
}

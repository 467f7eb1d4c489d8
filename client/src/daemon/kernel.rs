//! Reading and changing the host: tunnels, addresses, routes, group memberships.
//!
//! A membership lives as long as who asked for it, so it ends with the daemon and is made again by the next one;
//! everything else stays as a killed daemon left it and is adopted.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

use dz_net::{
    gre::{CLIENT_TTL, DEFAULT_MTU, Dataplane, TunnelError, TunnelSpec, Tunnels},
    host::{Host, Joined},
    kernel::{
        AddrInfo, NetlinkError, RTPROT_DZ, RouteChange, RouteInfo, RuleAction, RuleInfo, Scope, TABLE_MAIN,
        sysctl::SysctlError,
    },
    membership::MembershipError,
};
use ipnet::Ipv4Net;

use super::{
    changes::{Action, Actual, ActualTunnel, Address, Change, RouteKey, RuleKey, tunnel_of_table},
    tunnel_names,
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
    Sysctl(#[from] SysctlError),
    /// A group.
    #[error("{name}: {source}")]
    Membership {
        /// The interface.
        name: String,
        /// Which group, and why it cannot be joined.
        source: MembershipError,
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
    host: Arc<dyn Host>,
    tunnels: Arc<dyn Tunnels>,
    /// The tunnels' interfaces as they were last seen: who changes a thousand routes asks once. One that was remade since
    /// makes a change fail, and then everything is read again.
    indexes: BTreeMap<String, u32>,
    /// Memberships by interface index: an interface that was remade has none.
    memberships: BTreeMap<(u32, Ipv4Addr), Box<dyn Joined>>,
}

impl Kernel {
    /// The daemon's part of a host.
    ///
    /// # Errors
    /// The host can make no tunnels.
    pub(super) async fn open(host: Arc<dyn Host>) -> Result<Self, KernelError> {
        Ok(Self { tunnels: host.tunnels().await?, host, indexes: BTreeMap::new(), memberships: BTreeMap::new() })
    }

    /// The host.
    pub(super) fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// Who makes the tunnels.
    pub(super) fn dataplane(&self) -> Dataplane {
        self.tunnels.dataplane()
    }

    /// What there is.
    pub(super) async fn read(&mut self) -> Result<Found, KernelError> {
        let (mut actual, mut addresses) = (Actual::new(), BTreeSet::new());
        let mut by_index = BTreeMap::new();
        let links = self.host.links().await?;
        // Who leaves an interface by deleting it has left its groups: such a membership is none any more.
        self.memberships.retain(|(index, _), _| links.iter().any(|link| link.index == *index));
        for tunnel in self.tunnels.list().await? {
            let TunnelSpec { name, local, remote, .. } = tunnel.spec;
            if !tunnel_names::is_ours(&name) {
                continue;
            }
            by_index.insert(tunnel.ifindex, name.clone());
            let memberships = self.memberships.keys().filter(|(index, _)| *index == tunnel.ifindex);
            let have = ActualTunnel {
                pair: Some((local, remote)),
                ifindex: tunnel.ifindex,
                up: links.iter().any(|link| link.index == tunnel.ifindex && link.up),
                strict: self.is_strict(&name).await?,
                memberships: memberships.map(|(_, group)| *group).collect(),
                ..ActualTunnel::default()
            };
            actual.insert(name, have);
        }
        for addr in self.host.addrs().await? {
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
        for route in self.host.routes().await? {
            if route.protocol == RTPROT_DZ
                && (route.table == TABLE_MAIN || tunnel_of_table(route.table).is_some())
                && let Some(name) = route.dev.and_then(|index| by_index.get(&index))
                && let Some(tunnel) = actual.get_mut(name)
            {
                let key = RouteKey { table: route.table, destination: route.destination, metric: route.metric };
                tunnel.routes.insert(key, route.source);
            }
        }
        for rule in self.host.rules().await? {
            let RuleAction::Lookup(table) = rule.action else { continue };
            let number = tunnel_of_table(table).filter(|_| rule.protocol == RTPROT_DZ && rule.priority == table);
            let Some(number) = number else { continue };
            // The rules of a tunnel that is gone are ours to remove all the same.
            let tunnel = actual.entry(tunnel_names::name(number)).or_default();
            tunnel.rules.insert(RuleKey { number: table, from: rule.from.map(|net| net.addr()) });
        }
        self.indexes = by_index.into_iter().map(|(index, name)| (name, index)).collect();
        Ok(Found { tunnels: actual, addresses })
    }

    /// Makes changes that go together ([`Change::goes_with`]). Repeating them is not an error.
    pub(super) async fn apply(&mut self, changes: &[Change]) -> Result<(), KernelError> {
        match changes {
            [change] => self.apply_one(change).await,
            routes => self.change_routes(routes).await,
        }
    }

    async fn change_routes(&self, changes: &[Change]) -> Result<(), KernelError> {
        let mut routes = Vec::with_capacity(changes.len());
        for Change { name, action } in changes {
            routes.extend(match action {
                Action::SetRoute { key, source } => {
                    Some(RouteChange::Replace(RouteInfo { source: Some(*source), ..self.route(name, *key).await? }))
                }
                Action::RemoveRoute(key) => Some(RouteChange::Delete(self.route(name, *key).await?)),
                // Nothing else goes together.
                _ => None,
            });
        }
        Ok(self.host.change_routes(&routes).await?)
    }

    async fn apply_one(&mut self, change: &Change) -> Result<(), KernelError> {
        let name = &change.name;
        match &change.action {
            Action::Delete => {
                self.indexes.remove(name);
                match self.tunnels.delete(name).await {
                    Ok(()) | Err(TunnelError::NotFound { .. }) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            Action::Create { local, remote } => {
                let spec = TunnelSpec {
                    name: name.clone(),
                    local: *local,
                    remote: *remote,
                    ttl: CLIENT_TTL,
                    mtu: DEFAULT_MTU,
                };
                let tunnel = self.tunnels.create(&spec).await?;
                self.indexes.insert(name.clone(), tunnel.ifindex);
                Ok(())
            }
            Action::AcceptAnySource => Ok(self.host.set_sysctl(&rp_filter(name), LOOSE).await?),
            Action::Up => Ok(self.host.set_link_up(self.index(name).await?, true).await?),
            Action::AddAddress(address) => {
                let _ = self.host.add_addr(&self.addr(name, *address).await?).await?;
                Ok(())
            }
            Action::RemoveAddress(address) => {
                self.host.delete_addr(&self.addr(name, *address).await?).await?;
                Ok(())
            }
            Action::SetRoute { .. } | Action::RemoveRoute(_) => self.change_routes(std::slice::from_ref(change)).await,
            Action::AddRule(rule) => {
                let _ = self.host.add_rule(&rule_info(*rule)).await?;
                Ok(())
            }
            Action::RemoveRule(rule) => {
                self.host.delete_rule(&rule_info(*rule)).await?;
                Ok(())
            }
            Action::Join(group) => {
                let index = self.index(name).await?;
                let failed = |source| KernelError::Membership { name: name.clone(), source };
                let joined = self.host.join_group(*group, index).await.map_err(failed)?;
                self.memberships.insert((index, *group), joined);
                Ok(())
            }
            Action::Leave(group) => {
                let index = self.index(name).await?;
                self.memberships.remove(&(index, *group));
                Ok(())
            }
        }
    }

    /// True when the kernel drops what comes by an interface from a source that is routed elsewhere, as publishers are.
    /// Of the interface's value and the one for all interfaces, the higher counts: 0 is none, 1 strict, 2 loose.
    async fn is_strict(&self, interface: &str) -> Result<bool, SysctlError> {
        let values = [self.host.sysctl(&rp_filter("all")).await?, self.host.sysctl(&rp_filter(interface)).await?];
        Ok(values.iter().any(|value| value == "1") && !values.iter().any(|value| value == LOOSE))
    }

    async fn index(&self, name: &str) -> Result<u32, KernelError> {
        match self.indexes.get(name) {
            Some(index) => Ok(*index),
            None => Ok(self.host.link_index(name).await?),
        }
    }

    async fn addr(&self, name: &str, address: Address) -> Result<AddrInfo, KernelError> {
        let scope = if address.link_scope { Scope::Link } else { Scope::Global };
        Ok(AddrInfo::new(self.index(name).await?, address.net).scoped(scope))
    }

    async fn route(&self, name: &str, key: RouteKey) -> Result<RouteInfo, KernelError> {
        let dev = Some(self.index(name).await?);
        Ok(RouteInfo { dev, metric: key.metric, table: key.table, ..RouteInfo::unicast(key.destination) })
    }
}

fn rule_info(RuleKey { number, from }: RuleKey) -> RuleInfo {
    RuleInfo { from: from.map(Ipv4Net::from), ..RuleInfo::lookup(number, number) }
}

/// Loose reverse path filtering (RFC 3704 section 2.4).
const LOOSE: &str = "2";

fn rp_filter(interface: &str) -> String {
    format!("net/ipv4/conf/{interface}/rp_filter")
}

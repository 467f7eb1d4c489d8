//! The agent's access to the kernel: reads and changes it through netlink and the tunnels' maker. The agent's part is found
//! apart in [`super::listing`].

use std::{collections::BTreeSet, sync::Arc};

use dz_net::{
    filter::{FilterError, IngressPolicy},
    gre::{Dataplane, TunnelError, TunnelSpec, Tunnels},
    host::{self, Host},
    kernel::{
        Added, AddrInfo, LinkKind, LinkSpec, NetlinkError, RTPROT_DZ, RouteInfo, RuleAction, RuleInfo, Scope,
        sysctl::SysctlError,
    },
    mroute::{MulticastError, MulticastRoute},
};
use ipnet::Ipv4Net;

use super::{
    desired::{Desired, desired},
    diff::Change,
    kernel_listing::{ALIAS, Everything, holds_addresses, outer},
    state::{Address, Flow, Forwarding, Ingress, Outer, Route, RouteKey, Rule, State},
};
use crate::config::{DeviceConfig, IfName};

/// Why a change could not be made or the kernel not be read.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The kernel's configuration.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A tunnel.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// A kernel parameter.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// What may come in.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Group traffic.
    #[error(transparent)]
    Multicast(#[from] MulticastError),
    /// Something of another's is where the agent's would have to be.
    #[error("interface {0} exists already and is not the agent's: remove it, and the agent makes its own")]
    Foreign(String),
}

/// A device's kernel, with a way to make tunnels.
pub(super) struct Kernel {
    host: Arc<dyn Host>,
    tunnels: Arc<dyn Tunnels>,
}

impl Kernel {
    /// The kernel of a host.
    ///
    /// # Errors
    /// It can make no tunnels.
    pub(super) async fn open(host: Arc<dyn Host>) -> Result<Self, KernelError> {
        Ok(Self { tunnels: host.tunnels().await?, host })
    }

    /// The host it is of.
    pub(super) fn host(&self) -> Arc<dyn Host> {
        self.host.clone()
    }

    /// Who makes the tunnels.
    pub(super) fn dataplane(&self) -> Dataplane {
        self.tunnels.dataplane()
    }

    /// What the config is to be on this machine, and what of it is.
    pub(super) async fn read(&mut self, config: &DeviceConfig) -> Result<(Desired, State), KernelError> {
        let forwarding = self.host.forward_groups(!config.groups.is_empty()).await?;
        let all = self.everything().await?;
        let mut desired = desired(config, &all.host());
        if let host::Forwarding::WithHost(Some(error)) = forwarding {
            desired.lacking.push(format!("group traffic stops with the agent: {error}"));
        }
        let mut state = all.state(&desired.state);
        for path in desired.state.sysctls.keys() {
            state.sysctls.insert(path.clone(), self.host.sysctl(path).await?);
        }
        Ok((desired, state))
    }

    async fn everything(&mut self) -> Result<Everything, KernelError> {
        let tunnels = self.tunnels.list().await?;
        let group_routes = self.host.group_routes().await?.into_iter().map(|(route, _)| route).collect();
        Ok(Everything {
            links: self.host.links().await?,
            tunnels: tunnels.into_iter().map(|tunnel| (tunnel.spec.name.clone(), outer(&tunnel.spec))).collect(),
            addresses: self.host.addrs().await?,
            routes: self.host.routes().await?,
            rules: self.host.rules().await?,
            policies: self.host.ingress().await?,
            multicast: group_routes,
        })
    }

    /// Makes one change. What is already so is fine, as a change may be made again after a failure halfway.
    pub(super) async fn apply(&mut self, change: &Change) -> Result<(), KernelError> {
        match change {
            Change::SetSysctl { path, value } => self.host.set_sysctl(path, value).await?,
            Change::DeleteTunnel(name) => match self.tunnels.delete(name.as_str()).await {
                Ok(()) | Err(TunnelError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            Change::CreateTunnel(name, outer) => {
                self.tunnels.create(&spec(name, outer)).await?;
            }
            Change::AddLoopback(name) => self.add_loopback(name).await?,
            Change::DeleteLoopback(name) => {
                if let Some(link) = self.host.link(name.as_str()).await? {
                    self.host.delete_link(link.index).await?;
                }
            }
            Change::SetUp(name) => {
                self.host.set_link_up(self.index(name).await?, true).await?;
            }
            Change::AddAddress(address) => {
                // One that exists is wanted, whoever made it.
                let _: Added = self.host.add_addr(&self.address(address).await?).await?;
            }
            Change::DeleteAddress(address) => {
                self.host.delete_addr(&self.address(address).await?).await?;
            }
            Change::PutRoute(key, route) => self.host.replace_route(&self.route(key, route).await?).await?,
            Change::DeleteRoute(key, route) => {
                self.host.delete_route(&self.route(key, route).await?).await?;
            }
            Change::AddRule(rule) => {
                let _: Added = self.host.add_rule(&rule_info(rule)).await?;
            }
            Change::DeleteRule(rule) => {
                self.host.delete_rule(&rule_info(rule)).await?;
            }
            Change::SetIngress(ingress) => {
                self.host.set_ingress(ingress.iter().map(policy).collect()).await?;
            }
            Change::SetGroups(groups) => {
                let mut routes = Vec::with_capacity(groups.len());
                for (flow, way) in groups {
                    routes.push(self.multicast_route(flow, way).await?);
                }
                self.host.set_group_routes(routes).await?;
            }
        }
        Ok(())
    }

    async fn add_loopback(&self, name: &IfName) -> Result<(), KernelError> {
        let spec = LinkSpec { name: name.to_string(), kind: LinkKind::Loopback, mtu: None };
        match self.host.add_link(&spec).await? {
            Added::Created => {}
            // An agent that was killed between making a loopback and marking it left one without the mark.
            Added::Existed => match self.host.link(name.as_str()).await? {
                Some(link) if holds_addresses(&link) && link.alias.is_none() => {}
                _ => return Err(KernelError::Foreign(format!("interface {name}"))),
            },
        }
        Ok(self.host.set_link_alias(self.index(name).await?, ALIAS).await?)
    }

    async fn index(&self, name: &IfName) -> Result<u32, KernelError> {
        Ok(self.host.link_index(name.as_str()).await?)
    }

    async fn address(&self, address: &Address) -> Result<AddrInfo, KernelError> {
        // A tunnel's address is never to be picked as the source of what goes elsewhere.
        let scope = if address.interface.is_tunnel() { Scope::Link } else { Scope::Global };
        Ok(AddrInfo::new(self.index(&address.interface).await?, address.net).scoped(scope))
    }

    async fn multicast_route(&self, flow: &Flow, way: &Forwarding) -> Result<MulticastRoute, KernelError> {
        let mut outgoing = BTreeSet::new();
        for name in &way.to {
            outgoing.insert(self.index(name).await?);
        }
        let incoming = self.index(&way.from).await?;
        Ok(MulticastRoute { source: flow.source, group: flow.group, incoming, outgoing })
    }

    async fn route(&self, key: &RouteKey, route: &Route) -> Result<RouteInfo, KernelError> {
        let dev = self.index(&route.interface).await?;
        Ok(RouteInfo { table: key.table, via: route.gateway, dev: Some(dev), ..RouteInfo::unicast(key.destination) })
    }
}

fn spec(name: &IfName, outer: &Outer) -> TunnelSpec {
    TunnelSpec {
        name: name.to_string(),
        local: outer.local,
        remote: outer.remote,
        ttl: outer.ttl,
        mtu: u32::from(outer.mtu),
    }
}

fn rule_info(rule: &Rule) -> RuleInfo {
    RuleInfo {
        priority: rule.priority,
        iif: Some(rule.interface.clone()),
        from: rule.from.map(Ipv4Net::from),
        to: rule.to.map(Ipv4Net::from),
        fwmark: None,
        action: rule.table.map_or(RuleAction::Unreachable, RuleAction::Lookup),
        protocol: RTPROT_DZ,
    }
}

fn policy((name, ingress): (&IfName, &Ingress)) -> IngressPolicy {
    IngressPolicy {
        interface: name.to_string(),
        sources: ingress.sources.iter().copied().map(Ipv4Net::from).collect(),
        groups: ingress.groups.clone(),
    }
}

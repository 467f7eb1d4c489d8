//! Bugs between a process and its host's network stack.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use dz_net::{
    filter::{self, Dropped, FilterError, IngressPolicy},
    gre::{Dataplane, Discard, Tunnel, TunnelError, TunnelSpec, Tunnels},
    host::{Changes, Datagrams, Forwarding, Host, Joined, Pinger, RawPackets, RawSpec, UdpSpec, Watched},
    kernel::{Added, AddrInfo, Deleted, LinkInfo, LinkSpec, NetlinkError, RouteInfo, RuleInfo, sysctl::SysctlError},
    membership::MembershipError,
    mroute::{self, MulticastError, MulticastRoute, RouteCounters},
    probe::{ProbeConfig, ProbeError},
};

use crate::run::world::bug::Bug;

/// A host that does something else than it is asked to.
#[derive(Debug)]
pub(super) struct Lying {
    inner: Arc<dyn Host>,
    bug: Bug,
    /// Rules that it says it has deleted.
    kept: Mutex<BTreeSet<RuleInfo>>,
}

impl Lying {
    pub(super) fn new(inner: Arc<dyn Host>, bug: Bug) -> Self {
        Self { inner, bug, kept: Mutex::default() }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeSet<RuleInfo>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Host for Lying {
    async fn rules(&self) -> Result<Vec<RuleInfo>, NetlinkError> {
        let mut rules = self.inner.rules().await?;
        let kept = self.kept();
        rules.retain(|rule| !kept.contains(rule));
        Ok(rules)
    }

    async fn add_rule(&self, rule: &RuleInfo) -> Result<Added, NetlinkError> {
        self.kept().remove(rule);
        self.inner.add_rule(rule).await
    }

    async fn delete_rule(&self, rule: &RuleInfo) -> Result<Deleted, NetlinkError> {
        if self.bug != Bug::StaleRule {
            return self.inner.delete_rule(rule).await;
        }
        self.kept().insert(rule.clone());
        Ok(Deleted::Deleted)
    }

    async fn tunnels(&self) -> Result<Arc<dyn Tunnels>, TunnelError> {
        let inner = self.inner.tunnels().await?;
        Ok(if self.bug == Bug::SwappedName { Arc::new(Swapping(inner)) } else { inner })
    }

    async fn links(&self) -> Result<Vec<LinkInfo>, NetlinkError> {
        self.inner.links().await
    }
    async fn link(&self, name: &str) -> Result<Option<LinkInfo>, NetlinkError> {
        self.inner.link(name).await
    }
    async fn add_link(&self, spec: &LinkSpec) -> Result<Added, NetlinkError> {
        self.inner.add_link(spec).await
    }
    async fn delete_link(&self, index: u32) -> Result<Deleted, NetlinkError> {
        self.inner.delete_link(index).await
    }
    async fn set_link_up(&self, index: u32, up: bool) -> Result<(), NetlinkError> {
        self.inner.set_link_up(index, up).await
    }
    async fn set_link_mtu(&self, index: u32, mtu: u32) -> Result<(), NetlinkError> {
        self.inner.set_link_mtu(index, mtu).await
    }
    async fn set_link_alias(&self, index: u32, alias: &str) -> Result<(), NetlinkError> {
        self.inner.set_link_alias(index, alias).await
    }
    async fn addrs(&self) -> Result<Vec<AddrInfo>, NetlinkError> {
        self.inner.addrs().await
    }
    async fn add_addr(&self, addr: &AddrInfo) -> Result<Added, NetlinkError> {
        self.inner.add_addr(addr).await
    }
    async fn delete_addr(&self, addr: &AddrInfo) -> Result<Deleted, NetlinkError> {
        self.inner.delete_addr(addr).await
    }
    async fn routes(&self) -> Result<Vec<RouteInfo>, NetlinkError> {
        self.inner.routes().await
    }
    async fn add_route(&self, route: &RouteInfo) -> Result<Added, NetlinkError> {
        self.inner.add_route(route).await
    }
    async fn replace_route(&self, route: &RouteInfo) -> Result<(), NetlinkError> {
        self.inner.replace_route(route).await
    }
    async fn delete_route(&self, route: &RouteInfo) -> Result<Deleted, NetlinkError> {
        self.inner.delete_route(route).await
    }
    async fn ingress(&self) -> Result<BTreeMap<String, IngressPolicy>, FilterError> {
        self.inner.ingress().await
    }
    async fn set_ingress(&self, policies: Vec<IngressPolicy>) -> Result<filter::Changes, FilterError> {
        self.inner.set_ingress(policies).await
    }
    async fn ingress_dropped(&self) -> Result<BTreeMap<String, Dropped>, FilterError> {
        self.inner.ingress_dropped().await
    }
    async fn forward_groups(&self, wanted: bool) -> Result<Forwarding, MulticastError> {
        self.inner.forward_groups(wanted).await
    }
    async fn group_routes(&self) -> Result<Vec<(MulticastRoute, RouteCounters)>, MulticastError> {
        self.inner.group_routes().await
    }
    async fn set_group_routes(&self, routes: Vec<MulticastRoute>) -> Result<mroute::Changes, MulticastError> {
        self.inner.set_group_routes(routes).await
    }
    async fn join_group(&self, group: Ipv4Addr, index: u32) -> Result<Box<dyn Joined>, MembershipError> {
        self.inner.join_group(group, index).await
    }
    async fn sysctl(&self, name: &str) -> Result<String, SysctlError> {
        self.inner.sysctl(name).await
    }
    async fn set_sysctl(&self, name: &str, value: &str) -> Result<(), SysctlError> {
        self.inner.set_sysctl(name, value).await
    }
    async fn watch(&self, what: Watched) -> Result<Box<dyn Changes>, NetlinkError> {
        self.inner.watch(what).await
    }
    async fn pinger(&self, config: ProbeConfig) -> Result<Box<dyn Pinger>, ProbeError> {
        self.inner.pinger(config).await
    }
    async fn source_towards(&self, destination: Ipv4Addr) -> io::Result<Ipv4Addr> {
        self.inner.source_towards(destination).await
    }
    async fn udp(&self, spec: &UdpSpec) -> io::Result<Box<dyn Datagrams>> {
        self.inner.udp(spec).await
    }
    async fn raw(&self, spec: &RawSpec) -> io::Result<Box<dyn RawPackets>> {
        self.inner.raw(spec).await
    }
}

/// Swaps the names of the first two tunnels of a client, for callers here: all others see other names.
struct Swapping(Arc<dyn Tunnels>);

fn swapped(name: &str) -> String {
    match name {
        "doublezero0" => "doublezero1".to_owned(),
        "doublezero1" => "doublezero0".to_owned(),
        other => other.to_owned(),
    }
}

#[async_trait]
impl Tunnels for Swapping {
    fn dataplane(&self) -> Dataplane {
        self.0.dataplane()
    }

    async fn create(&self, spec: &TunnelSpec) -> Result<Tunnel, TunnelError> {
        let spec = TunnelSpec { name: swapped(&spec.name), ..spec.clone() };
        let mut made = self.0.create(&spec).await?;
        made.spec.name = swapped(&made.spec.name);
        Ok(made)
    }

    async fn delete(&self, name: &str) -> Result<(), TunnelError> {
        self.0.delete(&swapped(name)).await
    }

    async fn list(&self) -> Result<Vec<Tunnel>, TunnelError> {
        let mut tunnels = self.0.list().await?;
        for tunnel in &mut tunnels {
            tunnel.spec.name = swapped(&tunnel.spec.name);
        }
        Ok(tunnels)
    }

    async fn discards(&self) -> Result<BTreeMap<Discard, u64>, TunnelError> {
        self.0.discards().await
    }
}

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
    kernel::{
        Added, AddrInfo, Deleted, LinkInfo, LinkSpec, NetlinkError, RouteInfo, RuleInfo, TABLE_MAIN,
        sysctl::SysctlError,
    },
    membership::MembershipError,
    mroute::{self, MulticastError, MulticastRoute, RouteCounters},
    probe::{ProbeConfig, ProbeError},
};

use crate::run::world::bug::Bug;

/// The loopback interface of every host.
const LOOPBACK: u32 = 1;

/// A host that does something else than it is asked to.
#[derive(Debug)]
pub(super) struct Lying {
    inner: Arc<dyn Host>,
    bug: Bug,
    /// Rules that it says it has deleted.
    kept: Mutex<BTreeSet<RuleInfo>>,
    /// Addresses that it says are on their tunnels.
    misplaced: Mutex<Vec<AddrInfo>>,
    /// Routes that it says it has.
    lost: Mutex<Vec<RouteInfo>>,
}

/// An address of a tunnel, as it is put on the loopback interface.
fn on_loopback(addr: &AddrInfo) -> AddrInfo {
    AddrInfo { index: LOOPBACK, address: addr.address.addr().into(), peer: None, ..addr.clone() }
}

impl Lying {
    pub(super) fn new(inner: Arc<dyn Host>, bug: Bug) -> Self {
        Self { inner, bug, kept: Mutex::default(), misplaced: Mutex::default(), lost: Mutex::default() }
    }

    fn misplaced(&self) -> std::sync::MutexGuard<'_, Vec<AddrInfo>> {
        self.misplaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, Vec<RouteInfo>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loses(&self, route: &RouteInfo) -> bool {
        let here = match self.bug {
            Bug::LostRoute => route.table == TABLE_MAIN,
            Bug::LostTable => route.table != TABLE_MAIN,
            _ => false,
        };
        here && route.destination.prefix_len() == 32
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
        Ok(match self.bug {
            bug @ (Bug::SwappedName | Bug::WrongEnd) => Arc::new(Swapping { inner, bug }),
            _ => inner,
        })
    }

    async fn addrs(&self) -> Result<Vec<AddrInfo>, NetlinkError> {
        let (mut addrs, links) = (self.inner.addrs().await?, self.inner.links().await?);
        let mut misplaced = self.misplaced();
        misplaced.retain(|addr| links.iter().any(|link| link.index == addr.index));
        addrs.retain(|addr| !misplaced.iter().any(|said| on_loopback(said) == *addr));
        addrs.extend(misplaced.iter().cloned());
        Ok(addrs)
    }

    async fn add_addr(&self, addr: &AddrInfo) -> Result<Added, NetlinkError> {
        let tunnels = addr.address.addr().is_link_local();
        if self.bug == Bug::MisplacedAddress && tunnels {
            self.misplaced().push(addr.clone());
            return self.inner.add_addr(&on_loopback(addr)).await;
        }
        if self.bug == Bug::LostUplink && tunnels {
            for route in self.inner.routes().await?.iter().filter(|route| route.destination.prefix_len() == 0) {
                self.inner.delete_route(route).await?;
            }
        }
        self.inner.add_addr(addr).await
    }

    async fn delete_addr(&self, addr: &AddrInfo) -> Result<Deleted, NetlinkError> {
        let found = self.misplaced().iter().position(|said| said == addr);
        match found {
            Some(at) => {
                let said = self.misplaced().remove(at);
                self.inner.delete_addr(&on_loopback(&said)).await
            }
            None => self.inner.delete_addr(addr).await,
        }
    }

    async fn routes(&self) -> Result<Vec<RouteInfo>, NetlinkError> {
        let mut routes = self.inner.routes().await?;
        routes.extend(self.lost().iter().cloned());
        Ok(routes)
    }

    async fn add_route(&self, route: &RouteInfo) -> Result<Added, NetlinkError> {
        if self.loses(route) {
            self.lost().push(route.clone());
            return Ok(Added::Created);
        }
        self.inner.add_route(route).await
    }

    async fn replace_route(&self, route: &RouteInfo) -> Result<(), NetlinkError> {
        if self.loses(route) {
            self.lost().push(route.clone());
            return Ok(());
        }
        self.inner.replace_route(route).await
    }

    async fn delete_route(&self, route: &RouteInfo) -> Result<Deleted, NetlinkError> {
        let at = self.lost().iter().position(|lost| lost == route);
        match at {
            Some(at) => {
                self.lost().remove(at);
                Ok(Deleted::Deleted)
            }
            None => self.inner.delete_route(route).await,
        }
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

/// Makes other tunnels than it is asked to, and shows its callers those they asked for.
struct Swapping {
    inner: Arc<dyn Tunnels>,
    bug: Bug,
}

impl Swapping {
    /// With the names of the first two tunnels of a client swapped.
    fn name(&self, name: &str) -> String {
        match (self.bug, name) {
            (Bug::SwappedName, "doublezero0") => "doublezero1".to_owned(),
            (Bug::SwappedName, "doublezero1") => "doublezero0".to_owned(),
            _ => name.to_owned(),
        }
    }

    /// What is made of what is asked for, and the other way round.
    fn swap(&self, spec: &mut TunnelSpec) {
        spec.name = self.name(&spec.name);
        if self.bug == Bug::WrongEnd {
            spec.remote = Ipv4Addr::from(u32::from(spec.remote) ^ 1);
        }
    }
}

#[async_trait]
impl Tunnels for Swapping {
    fn dataplane(&self) -> Dataplane {
        self.inner.dataplane()
    }

    async fn create(&self, spec: &TunnelSpec) -> Result<Tunnel, TunnelError> {
        let mut spec = spec.clone();
        self.swap(&mut spec);
        let mut made = self.inner.create(&spec).await?;
        self.swap(&mut made.spec);
        Ok(made)
    }

    async fn delete(&self, name: &str) -> Result<(), TunnelError> {
        self.inner.delete(&self.name(name)).await
    }

    async fn list(&self) -> Result<Vec<Tunnel>, TunnelError> {
        let mut tunnels = self.inner.list().await?;
        tunnels.iter_mut().for_each(|tunnel| self.swap(&mut tunnel.spec));
        Ok(tunnels)
    }

    async fn discards(&self) -> Result<BTreeMap<Discard, u64>, TunnelError> {
        self.inner.discards().await
    }
}

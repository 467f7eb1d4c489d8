//! A network namespace of this machine as a [`Host`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::forwarding::Groups;
use super::socket::{self, KernelSocket};
use super::{Changes, Datagrams, Forwarding, Host, Joined, Pinger, RawPackets, RawSpec, UdpSpec, Watched};
use crate::filter::{self, Dropped, Filter, FilterError, IngressPolicy};
use crate::gre::{self, Dataplane, HelperCommand, Opened, TunnelError, Tunnels};
use crate::kernel::sysctl::{self, SysctlError};
use crate::kernel::{
    Added, AddrInfo, Change, Deleted, LinkInfo, LinkSpec, Netlink, NetlinkError, RouteChange, RouteInfo, RuleInfo,
    SharedWatch, Watch, WatchOfOne, WatchedNamespace,
};
use crate::membership::{Membership, MembershipError};
use crate::mroute::{self, MulticastError, MulticastRoute, RouteCounters};
use crate::netns::NetNs;
use crate::probe::{ProbeConfig, ProbeError, ProbeResult, Prober};

/// Who makes the tunnels of a [`KernelHost`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelMaker {
    /// The kernel or the helper.
    pub dataplane: Dataplane,
    /// How the helper is started if it is needed.
    pub helper: HelperCommand,
}

/// A network namespace of this machine. What a caller never asks for is never opened, so that a host without a packet
/// filter, for instance, serves those who need none.
#[derive(Debug)]
pub struct KernelHost {
    /// The calling thread's, if none.
    ns: Option<NetNs>,
    /// What watches its namespace, if many are watched by one socket.
    watched: Option<WatchedNamespace>,
    netlink: Netlink,
    maker: TunnelMaker,
    opened: OnceCell<Opened>,
    filter: Mutex<Option<Filter>>,
    groups: tokio::sync::Mutex<Groups>,
    sysctls: sysctl::Opened,
}

impl KernelHost {
    /// The namespace of the calling thread, which must be that of every caller of its methods. Must be called on a tokio
    /// runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened.
    pub fn open(maker: TunnelMaker) -> Result<Self, NetlinkError> {
        Ok(Self::with(None, None, Netlink::open()?, maker))
    }

    /// The namespace `ns`, from wherever the caller is. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// Netlink cannot be opened.
    pub fn open_in(ns: NetNs, maker: TunnelMaker) -> Result<Self, NetlinkError> {
        let netlink = Netlink::open_in(&ns)?;
        Ok(Self::with(Some(ns), None, netlink, maker))
    }

    /// The namespace `ns` as one of many end hosts of this process, which share the socket by which they are watched. Must
    /// be called on the runtime of `watches`.
    ///
    /// # Errors
    /// Netlink cannot be opened.
    pub fn open_among(ns: NetNs, watches: &SharedWatch, maker: TunnelMaker) -> Result<Self, NetlinkError> {
        let netlink = Netlink::open_own_in(&ns)?;
        let watched = watches.namespace(&ns)?;
        Ok(Self::with(Some(ns), Some(watched), netlink, maker))
    }

    fn with(ns: Option<NetNs>, watched: Option<WatchedNamespace>, netlink: Netlink, maker: TunnelMaker) -> Self {
        let (opened, filter, groups) = (OnceCell::new(), Mutex::default(), tokio::sync::Mutex::default());
        let sysctls = sysctl::Opened::default();
        Self { ns, watched, netlink, maker, opened, filter, groups, sysctls }
    }

    /// Runs what works on the namespace of its thread.
    fn inside<T: Send, E: Send>(
        &self,
        f: impl FnOnce() -> Result<T, E> + Send,
        failed: impl FnOnce(io::Error) -> E,
    ) -> Result<T, E> {
        match &self.ns {
            Some(ns) => ns.run(f).map_err(|error| failed(io::Error::other(error)))?,
            None => f(),
        }
    }

    /// Reports a change of routes to those who share the socket, which does not.
    fn report_routes<T>(&self, result: Result<T, NetlinkError>) -> Result<T, NetlinkError> {
        if let Some(watched) = &self.watched {
            watched.report_routes(&self.netlink);
        }
        result
    }

    async fn opened(&self) -> Result<&Opened, TunnelError> {
        let open = || gre::opened(self.maker.dataplane, self.maker.helper.clone(), self.ns.as_ref());
        self.opened.get_or_try_init(open).await
    }

    fn with_filter<T>(&self, f: impl FnOnce(&mut Filter) -> Result<T, FilterError>) -> Result<T, FilterError> {
        let mut filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *filter {
            Some(filter) => f(filter),
            none => f(none.insert(match &self.ns {
                Some(ns) => Filter::open_in(ns)?,
                None => Filter::open()?,
            })),
        }
    }
}

#[async_trait]
impl Host for KernelHost {
    async fn links(&self) -> Result<Vec<LinkInfo>, NetlinkError> {
        self.netlink.links().await
    }

    async fn link(&self, name: &str) -> Result<Option<LinkInfo>, NetlinkError> {
        self.netlink.link(name).await
    }

    async fn add_link(&self, spec: &LinkSpec) -> Result<Added, NetlinkError> {
        self.netlink.add_link(spec).await
    }

    async fn delete_link(&self, index: u32) -> Result<Deleted, NetlinkError> {
        self.netlink.delete_link(index).await
    }

    async fn set_link_up(&self, index: u32, up: bool) -> Result<(), NetlinkError> {
        self.netlink.set_link_up(index, up).await
    }

    async fn set_link_mtu(&self, index: u32, mtu: u32) -> Result<(), NetlinkError> {
        self.netlink.set_link_mtu(index, mtu).await
    }

    async fn set_link_alias(&self, index: u32, alias: &str) -> Result<(), NetlinkError> {
        self.netlink.set_link_alias(index, alias).await
    }

    async fn addrs(&self) -> Result<Vec<AddrInfo>, NetlinkError> {
        self.netlink.addrs().await
    }

    async fn add_addr(&self, addr: &AddrInfo) -> Result<Added, NetlinkError> {
        self.netlink.add_addr(addr).await
    }

    async fn delete_addr(&self, addr: &AddrInfo) -> Result<Deleted, NetlinkError> {
        self.netlink.delete_addr(addr).await
    }

    async fn routes(&self) -> Result<Vec<RouteInfo>, NetlinkError> {
        self.netlink.routes().await
    }

    async fn add_route(&self, route: &RouteInfo) -> Result<Added, NetlinkError> {
        self.report_routes(self.netlink.add_route(route).await)
    }

    async fn replace_route(&self, route: &RouteInfo) -> Result<(), NetlinkError> {
        self.report_routes(self.netlink.replace_route(route).await)
    }

    async fn delete_route(&self, route: &RouteInfo) -> Result<Deleted, NetlinkError> {
        self.report_routes(self.netlink.delete_route(route).await)
    }

    async fn change_routes(&self, changes: &[RouteChange]) -> Result<(), NetlinkError> {
        self.report_routes(self.netlink.change_routes(changes).await)
    }

    async fn rules(&self) -> Result<Vec<RuleInfo>, NetlinkError> {
        self.netlink.rules().await
    }

    async fn add_rule(&self, rule: &RuleInfo) -> Result<Added, NetlinkError> {
        self.netlink.add_rule(rule).await
    }

    async fn delete_rule(&self, rule: &RuleInfo) -> Result<Deleted, NetlinkError> {
        self.netlink.delete_rule(rule).await
    }

    async fn tunnels(&self) -> Result<Arc<dyn Tunnels>, TunnelError> {
        Ok(match self.opened().await? {
            Opened::Kernel(kernel) => Arc::new(kernel.clone()),
            Opened::Userspace(userspace) => Arc::new(userspace.clone()),
        })
    }

    async fn ingress(&self) -> Result<BTreeMap<String, IngressPolicy>, FilterError> {
        self.with_filter(Filter::policies)
    }

    async fn set_ingress(&self, policies: Vec<IngressPolicy>) -> Result<filter::Changes, FilterError> {
        self.with_filter(|filter| filter.apply(policies))
    }

    async fn ingress_dropped(&self) -> Result<BTreeMap<String, Dropped>, FilterError> {
        self.with_filter(Filter::dropped)
    }

    async fn forward_groups(&self, wanted: bool) -> Result<Forwarding, MulticastError> {
        let helper = match self.opened().await {
            Ok(Opened::Userspace(userspace)) => Some(userspace),
            // Who cannot make tunnels can still forward.
            Ok(Opened::Kernel(_)) | Err(_) => None,
        };
        self.groups.lock().await.forward(self.ns.as_ref(), helper, wanted).await
    }

    async fn group_routes(&self) -> Result<Vec<(MulticastRoute, RouteCounters)>, MulticastError> {
        self.groups.lock().await.router(self.ns.as_ref())?.routes()
    }

    async fn set_group_routes(&self, routes: Vec<MulticastRoute>) -> Result<mroute::Changes, MulticastError> {
        self.groups.lock().await.router(self.ns.as_ref())?.apply(routes)
    }

    async fn join_group(&self, group: Ipv4Addr, index: u32) -> Result<Box<dyn Joined>, MembershipError> {
        let failed = |source| MembershipError::Refused { group, index, source };
        Ok(Box::new(self.inside(|| Membership::join(group, index), failed)?))
    }

    async fn sysctl(&self, name: &str) -> Result<String, SysctlError> {
        match self.ns {
            // Of the many that a process looks into from outside it keeps no files open.
            Some(_) => self.inside(|| sysctl::read(name), |error| SysctlError::new(name, error)),
            None => self.sysctls.read(name),
        }
    }

    async fn set_sysctl(&self, name: &str, value: &str) -> Result<(), SysctlError> {
        self.inside(|| sysctl::write(name, value), |error| SysctlError::new(name, error))
    }

    async fn watch(&self, what: Watched) -> Result<Box<dyn Changes>, NetlinkError> {
        if let (Watched::EndHost, Some(watched)) = (what, &self.watched) {
            return Ok(Box::new(watched.apart_from(&self.netlink)?));
        }
        let watch = match (what, &self.ns) {
            (Watched::EndHost, None) => Watch::open()?,
            (Watched::EndHost, Some(ns)) => Watch::open_in(ns)?,
            (Watched::Router, None) => Watch::open_router()?,
            (Watched::Router, Some(ns)) => Watch::open_router_in(ns)?,
        };
        Ok(Box::new(watch.apart_from(&self.netlink)))
    }

    async fn pinger(&self, config: ProbeConfig) -> Result<Box<dyn Pinger>, ProbeError> {
        Ok(Box::new(match &self.ns {
            Some(ns) => Prober::open_in(ns, config)?,
            None => Prober::open(config)?,
        }))
    }

    async fn source_towards(&self, destination: Ipv4Addr) -> io::Result<Ipv4Addr> {
        self.inside(|| source_towards(destination), |error| error)
    }

    async fn udp(&self, spec: &UdpSpec) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(KernelSocket::new(self.inside(|| socket::udp(spec), |error| error)?)?))
    }

    async fn raw(&self, spec: &RawSpec) -> io::Result<Box<dyn RawPackets>> {
        Ok(Box::new(KernelSocket::new(self.inside(|| socket::raw(spec), |error| error)?)?))
    }
}

/// Connecting a datagram socket makes the kernel choose route and source, and sends nothing.
fn source_towards(destination: Ipv4Addr) -> io::Result<Ipv4Addr> {
    /// Any port: nothing is sent.
    const PORT: u16 = 53;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((destination, PORT))?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(source) => Ok(source),
        IpAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

#[async_trait]
impl Changes for Watch {
    async fn changed(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        Watch::changed(self).await
    }

    fn since(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        Watch::since(self)
    }
}

#[async_trait]
impl Changes for WatchOfOne {
    async fn changed(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        WatchOfOne::changed(self).await
    }

    fn since(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        WatchOfOne::since(self)
    }
}

#[async_trait]
impl Pinger for Prober {
    async fn round(&mut self, targets: BTreeSet<Ipv4Addr>) -> Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError> {
        Prober::round(self, targets).await
    }
}

impl Joined for Membership {}

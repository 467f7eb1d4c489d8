//! A virtual host as the products see it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dz_net::filter::{self, Dropped, FilterError, IngressPolicy};
use dz_net::gre::{Dataplane, TunnelError, Tunnels};
use dz_net::host::{Changes, Datagrams, Forwarding, Host, Joined, Pinger, RawPackets, RawSpec, UdpSpec, Watched};
use dz_net::kernel::sysctl::SysctlError;
use dz_net::kernel::{Added, AddrInfo, Change, Deleted, LinkInfo, LinkSpec, NetlinkError, RouteInfo, RuleInfo};
use dz_net::membership::MembershipError;
use dz_net::mroute::{self, MulticastError, MulticastRoute, RouteCounters};
use dz_net::probe::{ProbeConfig, ProbeError};
use nix::errno::Errno;
use tokio::sync::Notify;

use crate::access::{Access, Guard};
use crate::echo::VirtualPinger;
use crate::groups::Holder;
use crate::machine::Machine;
use crate::network::Network;
use crate::sockets::{VirtualRaw, VirtualUdp};
use crate::tunnels::VirtualTunnels;

/// A host of a [`Network`]. Each program has a value of its own: what lasts as long as the program does ends with it.
#[derive(Debug)]
pub struct VirtualHost {
    access: Access,
    /// The number of the program among all of the network.
    program: u64,
    /// Holds the socket without which nothing is forwarded to groups.
    router: Mutex<Option<Guard>>,
}

impl VirtualHost {
    pub(crate) fn new(network: Network, name: &str, program: u64) -> Self {
        Self { access: Access::new(network, name), program, router: Mutex::default() }
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        self.access.name()
    }

    /// Asks or changes the machine; `what` names that in an error.
    fn netlink<T>(
        &self,
        what: impl FnOnce() -> String,
        f: impl FnOnce(&mut Machine) -> Result<T, Errno>,
    ) -> Result<T, NetlinkError> {
        let result = self.access.with(|machine, _| f(machine)).flatten();
        result.map_err(|errno| NetlinkError::refused(what, errno as i32))
    }

    /// What this program asks for, of which its own watch hears nothing.
    fn by_program<T>(&self, f: impl FnOnce(&mut Machine) -> T) -> impl FnOnce(&mut Machine) -> T {
        let program = self.program;
        move |machine| {
            machine.watchers.serve(Some(program));
            let result = f(machine);
            machine.watchers.serve(None);
            result
        }
    }

    fn add(
        &self,
        what: impl FnOnce() -> String,
        f: impl FnOnce(&mut Machine) -> Result<(), Errno>,
    ) -> Result<Added, NetlinkError> {
        match self.netlink(what, f) {
            Ok(()) => Ok(Added::Created),
            Err(NetlinkError::Exists { .. }) => Ok(Added::Existed),
            Err(error) => Err(error),
        }
    }

    fn delete(
        &self,
        what: impl FnOnce() -> String,
        f: impl FnOnce(&mut Machine) -> Result<(), Errno>,
    ) -> Result<Deleted, NetlinkError> {
        match self.netlink(what, f) {
            Ok(()) => Ok(Deleted::Deleted),
            Err(NetlinkError::NotFound { .. }) => Ok(Deleted::Absent),
            Err(error) => Err(error),
        }
    }
}

impl VirtualHost {
    /// As [`dz_net::mroute::MulticastRouter::start`].
    fn start_router(&self) -> Result<(), Errno> {
        let mut router = self.router.lock().unwrap_or_else(PoisonError::into_inner);
        if router.is_none() && self.access.with(|machine, _| machine.hold_groups(Holder::Router))? {
            *router = Some(Guard::new(&self.access, 0, |machine, _| machine.release_groups(Holder::Router)));
        }
        Ok(())
    }

    fn stop_router(&self) {
        *self.router.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn route_name(route: &RouteInfo, verb: &str) -> String {
    format!("route to {} in table {}: {verb}", route.destination, route.table)
}

fn address_name(addr: &AddrInfo, verb: &str) -> String {
    format!("address {} on link {}: {verb}", addr.address, addr.index)
}

#[async_trait]
impl Host for VirtualHost {
    async fn links(&self) -> Result<Vec<LinkInfo>, NetlinkError> {
        self.netlink(|| "list links".to_owned(), |machine| Ok(machine.links()))
    }

    async fn link(&self, name: &str) -> Result<Option<LinkInfo>, NetlinkError> {
        let find = |machine: &mut Machine| {
            let index = machine.links.find(name)?;
            machine.links.get(index).map(|link| link.info(index))
        };
        self.netlink(|| format!("link {name}: get"), |machine| Ok(find(machine)))
    }

    async fn add_link(&self, spec: &LinkSpec) -> Result<Added, NetlinkError> {
        self.add(|| format!("link {}: add", spec.name), |machine| machine.add_link(spec).map(drop))
    }

    async fn delete_link(&self, index: u32) -> Result<Deleted, NetlinkError> {
        self.delete(|| format!("link {index}: delete"), |machine| machine.delete_link(index))
    }

    async fn set_link_up(&self, index: u32, up: bool) -> Result<(), NetlinkError> {
        let verb = if up { "set up" } else { "set down" };
        self.netlink(|| format!("link {index}: {verb}"), |machine| machine.set_link_up(index, up))
    }

    async fn set_link_mtu(&self, index: u32, mtu: u32) -> Result<(), NetlinkError> {
        self.netlink(|| format!("link {index}: set mtu"), |machine| machine.set_link_mtu(index, mtu))
    }

    async fn set_link_alias(&self, index: u32, alias: &str) -> Result<(), NetlinkError> {
        self.netlink(|| format!("link {index}: set alias"), |machine| machine.set_link_alias(index, alias))
    }

    async fn addrs(&self) -> Result<Vec<AddrInfo>, NetlinkError> {
        self.netlink(|| "list addresses".to_owned(), |machine| Ok(machine.addrs()))
    }

    async fn add_addr(&self, addr: &AddrInfo) -> Result<Added, NetlinkError> {
        self.add(|| address_name(addr, "add"), |machine| machine.add_addr(addr))
    }

    async fn delete_addr(&self, addr: &AddrInfo) -> Result<Deleted, NetlinkError> {
        self.delete(|| address_name(addr, "delete"), |machine| machine.delete_addr(addr))
    }

    async fn routes(&self) -> Result<Vec<RouteInfo>, NetlinkError> {
        self.netlink(|| "list routes".to_owned(), |machine| Ok(machine.routes()))
    }

    async fn add_route(&self, route: &RouteInfo) -> Result<Added, NetlinkError> {
        self.add(|| route_name(route, "add"), self.by_program(|machine| machine.add_route(route)))
    }

    async fn replace_route(&self, route: &RouteInfo) -> Result<(), NetlinkError> {
        self.netlink(|| route_name(route, "replace"), self.by_program(|machine| machine.replace_route(route)))
    }

    async fn delete_route(&self, route: &RouteInfo) -> Result<Deleted, NetlinkError> {
        self.delete(|| route_name(route, "delete"), self.by_program(|machine| machine.delete_route(route)))
    }

    async fn rules(&self) -> Result<Vec<RuleInfo>, NetlinkError> {
        self.netlink(|| "list rules".to_owned(), |machine| Ok(machine.rules()))
    }

    async fn add_rule(&self, rule: &RuleInfo) -> Result<Added, NetlinkError> {
        self.add(|| format!("rule {}: add", rule.priority), |machine| machine.add_rule(rule))
    }

    async fn delete_rule(&self, rule: &RuleInfo) -> Result<Deleted, NetlinkError> {
        self.delete(|| format!("rule {}: delete", rule.priority), |machine| machine.delete_rule(rule))
    }

    async fn tunnels(&self) -> Result<Arc<dyn Tunnels>, TunnelError> {
        let dataplane = self.netlink(|| "open tunnels".to_owned(), |machine| Ok(machine.dataplane()))?;
        Ok(Arc::new(VirtualTunnels::new(self.access.clone(), dataplane)))
    }

    async fn ingress(&self) -> Result<BTreeMap<String, IngressPolicy>, FilterError> {
        self.access.with(|machine, _| machine.filter.policies()).map_err(filter_error)
    }

    async fn set_ingress(&self, policies: Vec<IngressPolicy>) -> Result<filter::Changes, FilterError> {
        self.access.with(|machine, _| machine.set_ingress(policies)).map_err(filter_error).flatten()
    }

    async fn ingress_dropped(&self) -> Result<BTreeMap<String, Dropped>, FilterError> {
        self.access.with(|machine, _| machine.filter.dropped()).map_err(filter_error)
    }

    async fn forward_groups(&self, wanted: bool) -> Result<Forwarding, MulticastError> {
        let failed = |errno: Errno| MulticastError::new(|| "start forwarding".to_owned())(errno.into());
        let dataplane = self.access.with(|machine, _| machine.dataplane()).map_err(failed)?;
        let refused = match dataplane {
            Dataplane::Userspace if !wanted => return Ok(Forwarding::Lasting),
            Dataplane::Userspace => {
                self.stop_router();
                if self.access.with(|machine, _| machine.hold_groups(Holder::Helper)).map_err(failed)? {
                    return Ok(Forwarding::Lasting);
                }
                let (name, reason) = ("multicast".to_owned(), io::Error::from(Errno::EADDRINUSE).to_string());
                Some(TunnelError::Refused { name, reason })
            }
            Dataplane::Kernel | Dataplane::Auto => None,
        };
        self.start_router().map_err(failed)?;
        Ok(Forwarding::WithHost(refused))
    }

    async fn group_routes(&self) -> Result<Vec<(MulticastRoute, RouteCounters)>, MulticastError> {
        let failed = |errno: Errno| MulticastError::new(|| "list its state".to_owned())(errno.into());
        self.access.with(|machine, _| machine.groups.routes()).map_err(failed)
    }

    async fn set_group_routes(&self, routes: Vec<MulticastRoute>) -> Result<mroute::Changes, MulticastError> {
        let failed = |errno: Errno| MulticastError::new(|| "list its state".to_owned())(errno.into());
        self.access.with(|machine, _| machine.set_group_routes(routes)).map_err(failed).flatten()
    }

    async fn join_group(&self, group: Ipv4Addr, index: u32) -> Result<Box<dyn Joined>, MembershipError> {
        if !group.is_multicast() {
            return Err(MembershipError::NotAGroup(group));
        }
        let join = |machine: &mut Machine| {
            machine.links.get(index).ok_or(Errno::ENODEV)?;
            Ok(machine.memberships.join(group, index))
        };
        let joined = self.access.with(|machine, _| join(machine)).flatten();
        let id = joined.map_err(|errno| MembershipError::Refused { group, index, source: errno.into() })?;
        Ok(Box::new(Membership(Guard::new(&self.access, id, |machine, id| machine.memberships.leave(id)))))
    }

    async fn sysctl(&self, name: &str) -> Result<String, SysctlError> {
        let value = self.access.with(|machine, _| machine.parameters.read(name)).flatten();
        value.map_err(|errno| SysctlError::new(name, errno.into()))
    }

    async fn set_sysctl(&self, name: &str, value: &str) -> Result<(), SysctlError> {
        let set = self.access.with(|machine, _| machine.set_sysctl(name, value)).flatten();
        set.map_err(|errno| SysctlError::new(name, errno.into()))
    }

    async fn watch(&self, what: Watched) -> Result<Box<dyn Changes>, NetlinkError> {
        let (id, news) =
            self.netlink(|| "watch changes".to_owned(), |machine| Ok(machine.watchers.add(what, self.program)))?;
        let guard = Guard::new(&self.access, id, |machine, id| machine.watchers.remove(id));
        Ok(Box::new(Watch { guard, news }))
    }

    async fn pinger(&self, config: ProbeConfig) -> Result<Box<dyn Pinger>, ProbeError> {
        Ok(Box::new(VirtualPinger::open(&self.access, config)?))
    }

    async fn source_towards(&self, destination: Ipv4Addr) -> io::Result<Ipv4Addr> {
        Ok(self.access.with(|machine, _| machine.source_towards(destination)).flatten()?)
    }

    async fn udp(&self, spec: &UdpSpec) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(VirtualUdp::open(&self.access, spec)?))
    }

    async fn raw(&self, spec: &RawSpec) -> io::Result<Box<dyn RawPackets>> {
        Ok(Box::new(VirtualRaw::open(&self.access, spec)?))
    }
}

fn filter_error(errno: Errno) -> FilterError {
    FilterError::Refused { what: "list its rules", source: errno.into() }
}

#[derive(Debug)]
struct Membership(#[expect(dead_code, reason = "held until it is dropped")] Guard);

impl Joined for Membership {}

/// Notices of one program's watch.
#[derive(Debug)]
struct Watch {
    guard: Guard,
    news: Arc<Notify>,
}

#[async_trait]
impl Changes for Watch {
    async fn changed(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        loop {
            let changes = self.since()?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            self.news.notified().await;
        }
    }

    fn since(&mut self) -> Result<BTreeSet<Change>, NetlinkError> {
        let changes = self.guard.access().with(|machine, _| machine.watchers.take(self.guard.id()));
        let gone = || NetlinkError::refused(|| "watch changes".to_owned(), Errno::EBADF as i32);
        changes.ok().flatten().ok_or_else(gone)
    }
}

//! The host that a product runs on, behind one trait: everything the daemon and the agent ask of the kernel.
//!
//! [`Host`] has the verbs of [`crate::kernel`], the tunnels, the source filter, group forwarding, memberships, kernel
//! parameters, notices of changes, echo probes, and the sockets of an application. [`KernelHost`] is a network namespace
//! of this machine. Another implementation can stand for a host that no kernel has; the products cannot see which one
//! they were given, and open no socket of their own.

mod forwarding;
mod kept_pinger;
#[allow(clippy::disallowed_methods, reason = "the host of the real world")]
mod kernel;
mod socket;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;

pub use self::kept_pinger::KeptPinger;
pub use self::kernel::{KernelHost, TunnelMaker};
pub use self::socket::{Datagrams, RawPackets, RawSpec, UdpSpec};
use crate::filter::{self, Dropped, FilterError, IngressPolicy};
use crate::gre::{TunnelError, Tunnels};
use crate::kernel::sysctl::SysctlError;
use crate::kernel::{
    Added, AddrInfo, Change, Deleted, LinkInfo, LinkSpec, NetlinkError, RouteChange, RouteInfo, RuleInfo,
};
use crate::membership::MembershipError;
use crate::mroute::{self, MulticastError, MulticastRoute, RouteCounters};
use crate::probe::{ProbeConfig, ProbeError, ProbeResult};

/// One host's network stack.
///
/// The verbs say what they did as those of [`crate::kernel::Netlink`] do: [`Added::Existed`] and [`Deleted::Absent`] are
/// no errors, everything else that is refused is one and names its object.
#[async_trait]
pub trait Host: Debug + Send + Sync {
    /// All links, by index.
    async fn links(&self) -> Result<Vec<LinkInfo>, NetlinkError>;

    /// The link of that name, if there is one.
    async fn link(&self, name: &str) -> Result<Option<LinkInfo>, NetlinkError>;

    /// The index of the link of that name.
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`]: there is none.
    async fn link_index(&self, name: &str) -> Result<u32, NetlinkError> {
        let link = self.link(name).await?;
        link.map(|link| link.index).ok_or_else(|| NetlinkError::NotFound { what: format!("link {name}") })
    }

    /// Adds a link, down.
    async fn add_link(&self, spec: &LinkSpec) -> Result<Added, NetlinkError>;

    /// Deletes a link, and with it its addresses and routes.
    async fn delete_link(&self, index: u32) -> Result<Deleted, NetlinkError>;

    /// Sets a link up or down.
    async fn set_link_up(&self, index: u32, up: bool) -> Result<(), NetlinkError>;

    /// Sets a link's MTU, in bytes.
    async fn set_link_mtu(&self, index: u32, mtu: u32) -> Result<(), NetlinkError>;

    /// Attaches a text to a link that says what it is for.
    async fn set_link_alias(&self, index: u32, alias: &str) -> Result<(), NetlinkError>;

    /// All IPv4 addresses, by link and address.
    async fn addrs(&self) -> Result<Vec<AddrInfo>, NetlinkError>;

    /// Adds an address to a link.
    async fn add_addr(&self, addr: &AddrInfo) -> Result<Added, NetlinkError>;

    /// Removes an address from a link.
    async fn delete_addr(&self, addr: &AddrInfo) -> Result<Deleted, NetlinkError>;

    /// All IPv4 unicast routes of all tables, sorted.
    async fn routes(&self) -> Result<Vec<RouteInfo>, NetlinkError>;

    /// Adds a route. [`Added::Existed`]: there is one to the same destination with the same metric in the same table.
    async fn add_route(&self, route: &RouteInfo) -> Result<Added, NetlinkError>;

    /// Adds a route in the place of one to the same destination with the same metric in the same table.
    async fn replace_route(&self, route: &RouteInfo) -> Result<(), NetlinkError>;

    /// Deletes a route that agrees in all that is given.
    async fn delete_route(&self, route: &RouteInfo) -> Result<Deleted, NetlinkError>;

    /// Makes these changes in this order, as many at once as the host can take. After an error those behind may have been
    /// made or not.
    async fn change_routes(&self, changes: &[RouteChange]) -> Result<(), NetlinkError> {
        for change in changes {
            match change {
                RouteChange::Replace(route) => self.replace_route(route).await?,
                RouteChange::Delete(route) => drop(self.delete_route(route).await?),
            }
        }
        Ok(())
    }

    /// All IPv4 rules, sorted by priority; the kernel's own included.
    async fn rules(&self) -> Result<Vec<RuleInfo>, NetlinkError>;

    /// Adds a rule.
    async fn add_rule(&self, rule: &RuleInfo) -> Result<Added, NetlinkError>;

    /// Deletes a rule that agrees in all that is given.
    async fn delete_rule(&self, rule: &RuleInfo) -> Result<Deleted, NetlinkError>;

    /// The GRE tunnels.
    ///
    /// # Errors
    /// [`TunnelError::Unsupported`]: the host cannot make any.
    async fn tunnels(&self) -> Result<Arc<dyn Tunnels>, TunnelError>;

    /// The policies of [`crate::filter`] in force, by interface.
    async fn ingress(&self) -> Result<BTreeMap<String, IngressPolicy>, FilterError>;

    /// Makes these all policies. What is already as wanted is not touched and keeps its counters.
    async fn set_ingress(&self, policies: Vec<IngressPolicy>) -> Result<filter::Changes, FilterError>;

    /// What the policies dropped, by interface.
    async fn ingress_dropped(&self) -> Result<BTreeMap<String, Dropped>, FilterError>;

    /// Sees to it that the host forwards group traffic by its entries if this is wanted, and for how long it will.
    async fn forward_groups(&self, wanted: bool) -> Result<Forwarding, MulticastError>;

    /// All entries of [`crate::mroute`] with what they did, sorted.
    async fn group_routes(&self) -> Result<Vec<(MulticastRoute, RouteCounters)>, MulticastError>;

    /// Makes these all entries. What is already as wanted is not touched and keeps its counters.
    async fn set_group_routes(&self, routes: Vec<MulticastRoute>) -> Result<mroute::Changes, MulticastError>;

    /// Joins a group on the link of that index until the value is dropped, or the link is gone.
    async fn join_group(&self, group: Ipv4Addr, index: u32) -> Result<Box<dyn Joined>, MembershipError>;

    /// Reads a kernel parameter by its path, such as `net/ipv4/ip_forward`.
    async fn sysctl(&self, name: &str) -> Result<String, SysctlError>;

    /// Sets a kernel parameter by its path.
    async fn set_sysctl(&self, name: &str, value: &str) -> Result<(), SysctlError>;

    /// Watches the host's network configuration from now on. What this value does to routes is not reported: it has
    /// answered for that.
    async fn watch(&self, what: Watched) -> Result<Box<dyn Changes>, NetlinkError>;

    /// Opens a prober; what it sends takes the host's routes.
    async fn pinger(&self, config: ProbeConfig) -> Result<Box<dyn Pinger>, ProbeError>;

    /// The address that the host sends from to a destination.
    ///
    /// # Errors
    /// What connect(2) says: no route leads there.
    async fn source_towards(&self, destination: Ipv4Addr) -> io::Result<Ipv4Addr>;

    /// Opens a UDP socket.
    ///
    /// # Errors
    /// What socket(2), setsockopt(2) and bind(2) say.
    async fn udp(&self, spec: &UdpSpec) -> io::Result<Box<dyn Datagrams>>;

    /// Opens a socket for whole IPv4 packets.
    ///
    /// # Errors
    /// What socket(2) and setsockopt(2) say.
    async fn raw(&self, spec: &RawSpec) -> io::Result<Box<dyn RawPackets>>;
}

/// Which changes are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Links, addresses, routes and rules.
    EndHost,
    /// Everything that a [`Change`] can be.
    Router,
}

/// How long group traffic is forwarded.
#[derive(Debug)]
pub enum Forwarding {
    /// As long as its entries are there.
    Lasting,
    /// Until the host value is dropped; and why not longer, where another would have kept it going.
    WithHost(Option<TunnelError>),
}

/// Notices of changes to a host's network configuration.
#[async_trait]
pub trait Changes: Debug + Send {
    /// Waits for a change and returns all that have happened since the last call, the caller's own among them.
    ///
    /// # Errors
    /// The host can no longer be watched.
    async fn changed(&mut self) -> Result<BTreeSet<Change>, NetlinkError>;

    /// What has happened since the last call of either, without waiting for anything.
    ///
    /// # Errors
    /// The host can no longer be watched.
    fn since(&mut self) -> Result<BTreeSet<Change>, NetlinkError>;
}

/// Asks many targets for an echo, as [`crate::probe`] says.
#[async_trait]
pub trait Pinger: Debug + Send {
    /// Probes each target and returns the results by target.
    ///
    /// # Errors
    /// The socket failed, for instance because its interface has gone. What befalls a single target is in its result.
    async fn round(&mut self, targets: BTreeSet<Ipv4Addr>) -> Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError>;
}

/// A group that is joined for as long as this value lives.
pub trait Joined: Debug + Send + Sync {}

//! The rim: reads what is and makes changes, through netlink and the tunnels' maker.
//!
//! What is ours is known by marks that survive the agent: routes, rules and addresses carry a protocol number, a
//! loopback carries an alias, a tunnel has a name of ours and was made by the tunnels' maker.

use std::collections::{BTreeMap, BTreeSet};

use dz_net::{
    filter::{Filter, FilterError, IngressPolicy},
    gre::{self, Dataplane, HelperCommand, TunnelError, TunnelSpec, Tunnels},
    kernel::{
        Added, AddrInfo, LinkInfo, LinkKind, LinkSpec, Netlink, NetlinkError, RTPROT_DZ, RouteInfo, RouteKind,
        RuleAction, RuleInfo, Scope,
        sysctl::{self, SysctlError},
    },
    mroute::{MulticastError, MulticastRoute},
};
use ipnet::Ipv4Net;

use super::{
    desired::{Desired, Host, desired},
    diff::Change,
    multicast::Multicast,
    state::{Address, Flow, Forwarding, Ingress, Link, Outer, Route, RouteKey, Rule, State},
};
use crate::config::{DeviceConfig, IfName, TUNNEL_MTU};

/// The mark on a loopback.
const ALIAS: &str = "made by dz-agent";

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
    #[error("{0} is there already and not the agent's")]
    Foreign(String),
}

/// One namespace's kernel.
pub(super) struct Kernel {
    netlink: Netlink,
    tunnels: Box<dyn Tunnels>,
    filter: Filter,
    multicast: Multicast,
}

/// All there is, before it is told apart.
struct Everything {
    links: Vec<LinkInfo>,
    tunnels: BTreeMap<String, Outer>,
    addresses: Vec<AddrInfo>,
    routes: Vec<RouteInfo>,
    rules: Vec<RuleInfo>,
    policies: BTreeMap<String, IngressPolicy>,
    multicast: Vec<MulticastRoute>,
}

impl Kernel {
    /// Opens the kernel of the calling thread's namespace, with tunnels made as asked for.
    pub(super) async fn open(dataplane: Dataplane, helper: HelperCommand) -> Result<Self, KernelError> {
        let tunnels = gre::open(dataplane, helper.clone()).await?;
        let multicast = Multicast::new(tunnels.dataplane(), helper)?;
        Ok(Self { netlink: Netlink::open()?, tunnels, filter: Filter::open()?, multicast })
    }

    /// Who makes the tunnels.
    pub(super) fn dataplane(&self) -> Dataplane {
        self.tunnels.dataplane()
    }

    /// What the config is to be on this machine, and what of it is.
    pub(super) async fn read(&mut self, config: &DeviceConfig) -> Result<(Desired, State), KernelError> {
        let held = self.multicast.open(!config.groups.is_empty()).await?;
        let all = self.everything().await?;
        let mut desired = desired(config, &all.host());
        desired.lacking.extend(held.err().map(|error| format!("group traffic stops with the agent: {error}")));
        let mut state = all.state(&desired.state);
        for path in desired.state.sysctls.keys() {
            state.sysctls.insert(path.clone(), sysctl::read(path)?);
        }
        Ok((desired, state))
    }

    async fn everything(&mut self) -> Result<Everything, KernelError> {
        let tunnels = self.tunnels.list().await?;
        Ok(Everything {
            links: self.netlink.links().await?,
            tunnels: tunnels.into_iter().map(|tunnel| (tunnel.spec.name.clone(), outer(&tunnel.spec))).collect(),
            addresses: self.netlink.addrs().await?,
            routes: self.netlink.routes().await?,
            rules: self.netlink.rules().await?,
            policies: self.filter.policies()?,
            multicast: self.multicast.routes()?,
        })
    }

    /// Makes one change. What is already so is fine, as a change may be made again after a failure halfway.
    pub(super) async fn apply(&mut self, change: &Change) -> Result<(), KernelError> {
        match change {
            Change::SetSysctl { path, value } => sysctl::write(path, value)?,
            Change::DeleteTunnel(name) => match self.tunnels.delete(name.as_str()).await {
                Ok(()) | Err(TunnelError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            Change::CreateTunnel(name, outer) => {
                self.tunnels.create(&spec(name, outer)).await?;
            }
            Change::AddLoopback(name) => self.add_loopback(name).await?,
            Change::DeleteLoopback(name) => {
                if let Some(link) = self.netlink.link(name.as_str()).await? {
                    self.netlink.delete_link(link.index).await?;
                }
            }
            Change::SetUp(name) => {
                self.netlink.set_link_up(self.index(name).await?, true).await?;
            }
            Change::AddAddress(address) => {
                // One that exists is wanted, whoever made it.
                let _: Added = self.netlink.add_addr(&self.address(address).await?).await?;
            }
            Change::DeleteAddress(address) => {
                self.netlink.delete_addr(&self.address(address).await?).await?;
            }
            Change::PutRoute(key, route) => self.netlink.replace_route(&self.route(key, route).await?).await?,
            Change::DeleteRoute(key, route) => {
                self.netlink.delete_route(&self.route(key, route).await?).await?;
            }
            Change::AddRule(rule) => {
                let _: Added = self.netlink.add_rule(&rule_info(rule)).await?;
            }
            Change::DeleteRule(rule) => {
                self.netlink.delete_rule(&rule_info(rule)).await?;
            }
            Change::SetIngress(ingress) => {
                self.filter.apply(ingress.iter().map(policy))?;
            }
            Change::SetGroups(groups) => {
                let mut routes = Vec::with_capacity(groups.len());
                for (flow, way) in groups {
                    routes.push(self.multicast_route(flow, way).await?);
                }
                self.multicast.apply(routes)?;
            }
        }
        Ok(())
    }

    async fn add_loopback(&self, name: &IfName) -> Result<(), KernelError> {
        let spec = LinkSpec { name: name.to_string(), kind: LinkKind::Loopback, mtu: None };
        match self.netlink.add_link(&spec).await? {
            Added::Created => {}
            // An agent that was killed between making a loopback and marking it left one without the mark.
            Added::Existed => match self.netlink.link(name.as_str()).await? {
                Some(link) if holds_addresses(&link) && link.alias.is_none() => {}
                _ => return Err(KernelError::Foreign(format!("interface {name}"))),
            },
        }
        Ok(self.netlink.set_link_alias(self.index(name).await?, ALIAS).await?)
    }

    async fn index(&self, name: &IfName) -> Result<u32, KernelError> {
        Ok(self.netlink.link_index(name.as_str()).await?)
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

impl Everything {
    fn names(&self) -> BTreeMap<u32, IfName> {
        self.links.iter().filter_map(|link| Some((link.index, link.name.parse().ok()?))).collect()
    }

    fn host(&self) -> Host {
        let foreign = self.addresses.iter().filter(|address| address.protocol != RTPROT_DZ);
        Host {
            interfaces: self
                .links
                .iter()
                .filter_map(|link| Some((link.name.parse().ok()?, link.up && link.running)))
                .collect(),
            addresses: foreign.map(|address| address.address.addr()).collect(),
        }
    }

    /// What of it the agent answers for: what carries its mark, and what stands where something wanted has to be.
    fn state(&self, wanted: &State) -> State {
        let names = self.names();
        let links = self.links.iter().filter_map(|link| {
            let name: IfName = link.name.parse().ok()?;
            let is = self.link(link, &name)?;
            Some((name, is))
        });
        let mut addresses = BTreeSet::new();
        for address in &self.addresses {
            let Some(name) = names.get(&address.index) else { continue };
            let is = Address { interface: name.clone(), net: address.address };
            if address.protocol == RTPROT_DZ || wanted.addresses.contains(&is) {
                addresses.insert(is);
            }
        }
        let routes = self.routes.iter().filter_map(|route| {
            let (key, is) = read_route(route, &names)?;
            (is.own || wanted.routes.contains_key(&key)).then_some((key, is))
        });
        State {
            sysctls: BTreeMap::new(),
            links: links.collect(),
            addresses,
            routes: routes.collect(),
            rules: self.rules.iter().filter_map(read_rule).collect(),
            ingress: self.policies.values().filter_map(read_policy).collect(),
            groups: self.multicast.iter().filter_map(|route| read_multicast(route, &names)).collect(),
        }
    }

    fn link(&self, link: &LinkInfo, name: &IfName) -> Option<Link> {
        if let Some(outer) = self.tunnels.get(&link.name)
            && name.is_tunnel()
        {
            return Some(Link::Tunnel { outer: *outer, up: link.up });
        }
        let ours = holds_addresses(link) && link.alias.as_deref() == Some(ALIAS);
        ours.then_some(Link::Loopback { up: link.up })
    }
}

/// True for the kinds that loopbacks are made of.
fn holds_addresses(link: &LinkInfo) -> bool {
    matches!(link.kind.as_deref(), Some("dummy" | "bridge"))
}

fn outer(spec: &TunnelSpec) -> Outer {
    Outer { local: spec.local, remote: spec.remote, ttl: spec.ttl, mtu: TUNNEL_MTU }
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

/// A route of the form the agent makes; others are nobody the agent could mistake for its own.
fn read_route(route: &RouteInfo, names: &BTreeMap<u32, IfName>) -> Option<(RouteKey, Route)> {
    if route.metric != 0 || !matches!(route.kind, RouteKind::Unicast) {
        return None;
    }
    let interface = names.get(&route.dev?)?.clone();
    let key = RouteKey { table: route.table, destination: route.destination };
    Some((key, Route { interface, gateway: route.via, own: route.protocol == RTPROT_DZ }))
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

fn read_rule(rule: &RuleInfo) -> Option<Rule> {
    if rule.protocol != RTPROT_DZ {
        return None;
    }
    let table = match rule.action {
        RuleAction::Lookup(table) => Some(table),
        _ => None,
    };
    Some(Rule {
        priority: rule.priority,
        interface: rule.iif.clone().unwrap_or_default(),
        from: rule.from.map(|net| net.addr()),
        to: rule.to.map(|net| net.addr()),
        table,
    })
}

fn policy((name, ingress): (&IfName, &Ingress)) -> IngressPolicy {
    IngressPolicy {
        interface: name.to_string(),
        sources: ingress.sources.iter().copied().map(Ipv4Net::from).collect(),
        groups: ingress.groups.clone(),
    }
}

/// The filter's table is the agent's alone; a policy of another form is in it only by hand, and never as wanted.
fn read_policy(policy: &IngressPolicy) -> Option<(IfName, Ingress)> {
    let sources = policy.sources.iter().map(|net| net.addr()).collect();
    Some((policy.interface.parse().ok()?, Ingress { sources, groups: policy.groups.clone() }))
}

fn read_multicast(route: &MulticastRoute, names: &BTreeMap<u32, IfName>) -> Option<(Flow, Forwarding)> {
    let from = names.get(&route.incoming)?.clone();
    let to = route.outgoing.iter().filter_map(|index| names.get(index).cloned()).collect();
    Some((Flow { group: route.group, source: route.source }, Forwarding { from, to }))
}

//! Both hosts side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use dz_net::filter::IngressPolicy;
use dz_net::gre::TunnelSpec;
use dz_net::host::{Changes, Datagrams, Host, Joined, RawSpec, UdpSpec, Watched};
use dz_net::kernel::{AddrInfo, Change, LinkKind, LinkSpec, RouteInfo, RuleAction, RuleInfo};
use dz_net::mroute::MulticastRoute;
use dz_net::probe::ProbeConfig;
use dz_net::wire::fragment::fragment;
use dz_net::wire::ipv4::Header;
use dzsim_fabric::FabricConfig;
use nix::errno::Errno;

use super::op::{Address, Group, Op, PORTS, Route, Rule};
use super::packet::{CLOSED_PORT, OPEN_PORT, normal};
use super::real::Real;
use crate::machine::Machine;
use crate::raw::EchoRefusal;
use crate::{HostSpec, Modules, Network, NetworkConfig, PortSpec, VirtualHost};

const NAME: &str = "h";
/// An index that no link has.
const NONE: u32 = 9_999;
/// How long what the helper carries may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a request came to: nothing, or the last part of its error.
type Outcome = Result<String, String>;
/// What left by which port.
type Sent = Vec<(usize, Vec<u8>)>;

/// Everything that is listed, by names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    links: BTreeMap<String, (bool, u32, Option<String>)>,
    addresses: BTreeSet<(String, AddrInfo)>,
    routes: Vec<(Option<String>, RouteInfo)>,
    rules: Vec<RuleInfo>,
    tunnels: Vec<TunnelSpec>,
    ingress: BTreeMap<String, IngressPolicy>,
    groups: Vec<(Ipv4Addr, Ipv4Addr, String, BTreeSet<String>, u64, u64)>,
}

impl Listed {
    fn same(self, model: Self) -> Result<(), String> {
        same("links", self.links, model.links)?;
        same_set("addresses", self.addresses, model.addresses)?;
        same_set("routes", self.routes, model.routes)?;
        same_set("rules", self.rules, model.rules)?;
        same("tunnels", self.tunnels, model.tunnels)?;
        same("ingress", self.ingress, model.ingress)?;
        same("groups", self.groups, model.groups)
    }
}

pub(super) struct Pair {
    real: Real,
    network: Network,
    model: VirtualHost,
    watches: [Box<dyn Changes>; 2],
    /// Sockets that stay open, the kernel's and the model's.
    sockets: Vec<[Box<dyn Datagrams>; 2]>,
    memberships: Vec<Box<dyn Joined>>,
    /// Whether anything may be under way in the helper.
    tunnels: bool,
}

fn reason(error: impl std::fmt::Display) -> String {
    error.to_string().rsplit(": ").next().unwrap_or_default().to_owned()
}

fn outcome<T: std::fmt::Debug, E: std::fmt::Display>(result: Result<T, E>) -> Outcome {
    result.map(|value| format!("{value:?}")).map_err(reason)
}

fn errno(result: Result<(), Errno>) -> Outcome {
    outcome(result.map_err(std::io::Error::from))
}

impl Pair {
    pub(super) async fn new() -> Self {
        let real = Real::new().await;
        let network = Network::new(&NetworkConfig { fabric: FabricConfig::default(), epoch: Duration::ZERO }).unwrap();
        let modules = Modules { dummy: false, gre: false };
        let [uplink, port] = PORTS.map(PortSpec::new);
        let model = network.add_host(HostSpec { name: NAME.to_owned(), router: false, modules, uplink }).unwrap();
        network.add_port(NAME, port).unwrap();
        let send_redirects = ["all", "default", "p0", "p1"].map(|name| format!("net/ipv4/conf/{name}/send_redirects"));
        for path in send_redirects {
            model.set_sysctl(&path, "0").await.unwrap();
        }
        // Looking at it for the first time opens the filter and group forwarding.
        listed(&real.host).await.same(listed(&model).await).unwrap();
        let watches = [real.host.watch(Watched::Router).await.unwrap(), model.watch(Watched::Router).await.unwrap()];
        let pair = Self { real, network, model, watches, sockets: Vec::new(), memberships: Vec::new(), tunnels: false };
        pair.real.sent();
        pair
    }

    /// Does one thing to both.
    pub(super) async fn step(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Listen { device, at, join } => self.listen(*device, *at, *join).await?,
            Op::Join { link, group } => {
                let index = [index(&self.real.host, link).await, index(&self.model, link).await];
                let joined =
                    [self.real.host.join_group(*group, index[0]).await, self.model.join_group(*group, index[1]).await];
                let [real, model] = joined.each_ref().map(|joined| joined.as_ref().map(drop).map_err(reason));
                same("joining", real, model)?;
                self.memberships.extend(joined.into_iter().flatten());
            }
            Op::Receive { port, packet, fragments } => {
                let bytes = packet.bytes();
                let header = Header::decode(&bytes).expect("it is a packet");
                for part in if *fragments { fragment(&bytes, &header, 576) } else { vec![bytes] } {
                    let arrived = self.real.receive(*port, &part);
                    let (model, sent) = self.on_model(|machine, _| {
                        let link = machine.links.find(PORTS[*port]);
                        link.is_some_and(|link| machine.arrive(link, part))
                    });
                    same("taken", arrived, model)?;
                    self.same_sent(sent).await?;
                }
            }
            // What a host sends to a group it does not forward itself: see the decision note.
            // And nobody is told of what a host says it has sent as a group, or as everybody: Linux would report what befell
            // the latter to everybody, which no router may (RFC 1812 section 4.3.2.7) and no program here asks for.
            Op::Send { packet, .. } if packet.destination.is_multicast() || packet.source.is_multicast() => {}
            Op::Send { packet, .. } if packet.source.is_broadcast() => {}
            Op::Ping { to, .. } if to.is_multicast() => {}
            Op::Send { device, packet } => {
                let spec = RawSpec { protocol: 255, device: device.map(str::to_owned) };
                let bytes = packet.bytes();
                let real = match self.real.host.raw(&spec).await {
                    Ok(socket) => outcome(socket.send(&bytes)),
                    Err(error) => Err(reason(error)),
                };
                let (model, sent) = self.on_model(|machine, now| {
                    let id = machine.open_raw(&spec)?;
                    let sent = machine.send_raw(now, id, &bytes);
                    machine.close_raw(id);
                    sent
                });
                same("sending", real, errno(model))?;
                self.same_sent(sent).await?;
            }
            Op::SendUdp { device, from, to, size } => {
                let bind = SocketAddrV4::new(from.unwrap_or(Ipv4Addr::UNSPECIFIED), 7000);
                let port = if *size == 100 { OPEN_PORT } else { CLOSED_PORT };
                let spec = UdpSpec {
                    bind: Some(bind),
                    freebind: true,
                    device: device.map(str::to_owned),
                    group_ttl: Some(3),
                    ..UdpSpec::default()
                };
                let (payload, to) = (vec![5; *size], SocketAddrV4::new(*to, port));
                let real = match self.real.host.udp(&spec).await {
                    Ok(socket) => outcome(socket.send_to(&payload, to)),
                    Err(error) => Err(reason(error)),
                };
                let (model, sent) = self.on_model(|machine, now| {
                    let id = machine.open_udp(&spec)?;
                    let sent = machine.send_udp(now, id, &payload, to);
                    machine.close_udp(id);
                    sent
                });
                same("sending", real, errno(model))?;
                self.same_sent(sent).await?;
            }
            Op::Ping { device, from, to, size, dont_fragment } => {
                let config = ProbeConfig {
                    probes: 1,
                    timeout: Duration::from_millis(1),
                    source: *from,
                    device: device.map(str::to_owned),
                    payload: *size,
                    dont_fragment: *dont_fragment,
                    ..ProbeConfig::default()
                };
                let real = match self.real.host.pinger(config.clone()).await {
                    Ok(mut pinger) => {
                        let result = pinger.round([*to].into()).await.map_err(reason)?.remove(to).expect("one target");
                        // What somebody reports later says nothing about the sending.
                        match result.last_error.filter(|error| !error.contains("says")) {
                            Some(error) => Err(error),
                            None => Ok("()".to_owned()),
                        }
                    }
                    Err(error) => Err(reason(error)),
                };
                let (model, sent) = self.on_model(|machine, now| {
                    let id = machine.open_echo(&config).map_err(|refusal| match refusal {
                        EchoRefusal::Device(errno) | EchoRefusal::Source(errno) => errno,
                    })?;
                    let message = dz_net::wire::icmp::echo(false, 0, 0, &vec![0; usize::from(*size)]);
                    let sent = machine.send_echo(now, id, *to, &message, *dont_fragment);
                    machine.close_raw(id);
                    sent
                });
                same("sending", real, errno(model))?;
                // The payloads are the probers' own.
                let unlike = |sent: Sent| sent.into_iter().map(|(port, packet)| (port, headers_of(packet))).collect();
                self.same_sent_but_for(sent, unlike).await?;
            }
            Op::Source(to) => {
                let [real, model] = [self.real.host.source_towards(*to).await, self.model.source_towards(*to).await];
                same("source", outcome(real), outcome(model))?;
            }
            change => {
                // What packets have caused is not compared.
                self.notices().await;
                self.tunnels |= matches!(change, Op::CreateTunnel { .. });
                let real = apply(&self.real.host, change).await;
                let model = apply(&self.model, change).await;
                same("outcome", real, model)?;
                listed(&self.real.host).await.same(listed(&self.model).await)?;
                self.same_notices().await?;
                // A change of tunnels or groups says nothing to the outside.
                self.real.sent();
            }
        }
        Ok(())
    }

    /// Does something to the model and takes what leaves it.
    fn on_model<T>(&self, f: impl FnOnce(&mut Machine, Instant) -> T) -> (T, Sent) {
        let done = self.network.with(NAME, None, |machine, now| {
            let value = f(machine, now);
            machine.run(now);
            let leaving = std::mem::take(&mut machine.leaving);
            let port = |link| PORTS.iter().position(|name| machine.links.find(name) == Some(link));
            let sent = leaving.into_iter().filter_map(|at| Some((port(at.link)?, at.packet))).collect();
            (value, sent)
        });
        done.expect("the host is there")
    }

    async fn same_sent(&self, model: Sent) -> Result<(), String> {
        self.same_sent_but_for(model, |sent| sent).await
    }

    /// Compares what left both. The helper is a process of its own: what it carries is waited for.
    async fn same_sent_but_for(&self, model: Sent, but_for: impl Fn(Sent) -> Sent) -> Result<(), String> {
        let wanted = sorted(but_for(model));
        let mut real = sorted(but_for(self.real.sent()));
        let deadline = Instant::now() + PATIENCE;
        while self.tunnels && real.len() < wanted.len() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
            real = sorted(real.into_iter().chain(but_for(self.real.sent())).collect());
        }
        same("packets", real, wanted)?;
        self.same_heard().await
    }

    /// Opens a socket on both that stays open.
    async fn listen(&mut self, device: Option<&str>, at: Ipv4Addr, join: Option<Ipv4Addr>) -> Result<(), String> {
        let bind = Some(SocketAddrV4::new(at, OPEN_PORT));
        let spec = UdpSpec { bind, device: device.map(str::to_owned), join, ..UdpSpec::default() };
        let opened = [self.real.host.udp(&spec).await, self.model.udp(&spec).await];
        let [real, model] = opened.each_ref().map(|socket| socket.as_ref().map(drop).map_err(reason));
        same("opening", real, model)?;
        if let [Ok(real), Ok(model)] = opened {
            self.sockets.push([real, model]);
        }
        Ok(())
    }

    /// Compares what the sockets that are open have received.
    async fn same_heard(&self) -> Result<(), String> {
        // The first poll learns from the reactor that there is anything to read.
        tokio::task::yield_now().await;
        for (number, sockets) in self.sockets.iter().enumerate() {
            let [real, model] = sockets.each_ref().map(|socket| {
                let mut buffer = [0; 2048];
                let mut heard = Vec::new();
                while let Some(received) = futures_util::FutureExt::now_or_never(socket.recv_from(&mut buffer)) {
                    heard.push(received.map_err(reason));
                }
                heard
            });
            same(&format!("datagrams at socket {number}"), real, model)?;
        }
        Ok(())
    }

    /// The kernel's notices are among the model's.
    async fn same_notices(&mut self) -> Result<(), String> {
        let [real, model] = self.notices().await;
        let missing: Vec<_> = real.difference(&model).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("no notice of {missing:?}")) }
    }

    /// What has changed since this was last asked.
    async fn notices(&mut self) -> [BTreeSet<Change>; 2] {
        // The first poll learns from the reactor that there is anything to read.
        tokio::task::yield_now().await;
        self.watches.each_mut().map(|watch| {
            let changed = futures_util::FutureExt::now_or_never(watch.changed());
            changed.map_or(BTreeSet::new(), Result::unwrap)
        })
    }
}

fn same<T: std::fmt::Debug + PartialEq>(what: &str, real: T, model: T) -> Result<(), String> {
    if real == model { Ok(()) } else { Err(format!("{what} differ\n  kernel: {real:?}\n  model:  {model:?}")) }
}

/// Of lists, only what is in one of them is shown.
fn same_set<T, C>(what: &str, real: C, model: C) -> Result<(), String>
where
    T: Clone + Ord + std::fmt::Debug,
    C: IntoIterator<Item = T>,
{
    let (real, model): (Vec<T>, Vec<T>) = (real.into_iter().collect(), model.into_iter().collect());
    let only = |of: &[T], other: &[T]| of.iter().filter(|item| !other.contains(item)).cloned().collect::<Vec<_>>();
    same(what, only(&real, &model), only(&model, &real))?;
    same(what, real, model)
}

fn sorted(sent: Sent) -> Sent {
    let mut sent: Vec<_> = sent.into_iter().map(|(port, packet)| (port, normal(packet))).collect();
    sent.sort();
    sent
}

/// A packet cut behind its header, but with its length.
fn headers_of(packet: Vec<u8>) -> Vec<u8> {
    let mut packet = packet;
    packet[4..6].fill(0);
    packet[10..12].fill(0);
    let length = packet.len();
    packet[20.min(length)..].fill(0);
    packet
}

async fn index(host: &dyn Host, name: &str) -> u32 {
    host.link(name).await.unwrap().map_or(NONE, |link| link.index)
}

async fn addr_info(host: &dyn Host, address: &Address) -> AddrInfo {
    let info = AddrInfo::new(index(host, address.link).await, address.net).scoped(address.scope);
    AddrInfo { peer: address.peer.filter(|peer| *peer != address.net.addr()), ..info }
}

async fn route_info(host: &dyn Host, route: &Route) -> RouteInfo {
    let dev = match route.dev {
        Some(name) => Some(index(host, name).await),
        None => None,
    };
    RouteInfo {
        table: route.table,
        destination: route.destination.trunc(),
        metric: route.metric,
        kind: route.kind,
        via: route.via,
        dev,
        source: route.source,
        mtu: route.mtu,
        protocol: route.protocol,
    }
}

fn rule_info(rule: &Rule) -> RuleInfo {
    RuleInfo {
        iif: rule.iif.map(str::to_owned),
        from: rule.from.map(|net| net.trunc()),
        to: rule.to.map(|net| net.trunc()),
        action: rule.table.map_or(RuleAction::Unreachable, RuleAction::Lookup),
        ..RuleInfo::lookup(rule.priority, 0)
    }
}

/// Makes a change.
async fn apply(host: &dyn Host, op: &Op) -> Outcome {
    match op {
        Op::AddLink { name, loopback, mtu } => {
            let kind = if *loopback { LinkKind::Loopback } else { LinkKind::Bridge };
            outcome(host.add_link(&LinkSpec { name: (*name).to_owned(), kind, mtu: *mtu }).await)
        }
        Op::DeleteLink { name } if PORTS.contains(name) => Ok("a port stays".to_owned()),
        Op::DeleteLink { name } => outcome(host.delete_link(index(host, name).await).await),
        Op::SetUp { name, up } => outcome(host.set_link_up(index(host, name).await, *up).await),
        // What the kernel does to IPv4 of an interface that is too small for it is not modelled.
        Op::SetMtu { name: "lo", .. } => Ok("the loopback keeps its MTU".to_owned()),
        Op::SetMtu { name, mtu } => outcome(host.set_link_mtu(index(host, name).await, *mtu).await),
        Op::SetAlias { name, alias } => outcome(host.set_link_alias(index(host, name).await, alias).await),
        Op::AddAddress(address) => outcome(host.add_addr(&addr_info(host, address).await).await),
        Op::DeleteAddress(address) => outcome(host.delete_addr(&addr_info(host, address).await).await),
        Op::AddRoute(route) => outcome(host.add_route(&route_info(host, route).await).await),
        Op::ReplaceRoute(route) => outcome(host.replace_route(&route_info(host, route).await).await),
        Op::DeleteRoute(route) => outcome(host.delete_route(&route_info(host, route).await).await),
        Op::AddRule(rule) => outcome(host.add_rule(&rule_info(rule)).await),
        Op::DeleteRule(rule) => outcome(host.delete_rule(&rule_info(rule)).await),
        Op::CreateTunnel { name, local, remote, ttl, mtu } => {
            let spec = TunnelSpec { name: (*name).to_owned(), local: *local, remote: *remote, ttl: *ttl, mtu: *mtu };
            outcome(host.tunnels().await.unwrap().create(&spec).await.map(|tunnel| tunnel.spec))
        }
        Op::DeleteTunnel { name } => outcome(host.tunnels().await.unwrap().delete(name).await),
        Op::SetIngress(policies) => {
            let policies = policies.iter().map(|(name, sources, groups)| IngressPolicy {
                interface: (*name).to_owned(),
                sources: sources.iter().map(|net| net.trunc()).collect(),
                groups: groups.iter().copied().collect(),
            });
            outcome(host.set_ingress(policies.collect()).await)
        }
        Op::SetGroups(groups) => {
            let mut routes = Vec::new();
            for Group { source, group, from, to } in groups {
                let mut outgoing = BTreeSet::new();
                for name in to {
                    outgoing.insert(index(host, name).await);
                }
                let incoming = index(host, from).await;
                routes.push(MulticastRoute { source: *source, group: *group, incoming, outgoing });
            }
            // A loop names a number.
            host.set_group_routes(routes).await.map(|changes| format!("{changes:?}")).map_err(|error| {
                let text = error.to_string();
                if text.contains("by which it comes in") { "a loop".to_owned() } else { reason(text) }
            })
        }
        Op::Forward(wanted) => host.forward_groups(*wanted).await.map(|_| String::new()).map_err(reason),
        Op::SetSysctl { path, value } => outcome(host.set_sysctl(path, value).await),
        Op::Source(_)
        | Op::Listen { .. }
        | Op::Join { .. }
        | Op::Receive { .. }
        | Op::Send { .. }
        | Op::SendUdp { .. }
        | Op::Ping { .. } => {
            unreachable!("no change")
        }
    }
}

/// Lists everything.
async fn listed(host: &dyn Host) -> Listed {
    let links = host.links().await.unwrap();
    let ours = |name: &str| matches!(name, "lo" | "p0" | "p1" | "b0" | "b1" | "t0" | "t1");
    let names: BTreeMap<u32, String> =
        links.iter().filter(|link| ours(&link.name)).map(|link| (link.index, link.name.clone())).collect();
    let name = |index: &u32| names.get(index).cloned().unwrap_or_else(|| "?".to_owned());
    let shown = links.iter().filter(|link| ours(&link.name));
    let groups = host.group_routes().await.unwrap().into_iter().map(|(route, counters)| {
        let outgoing = route.outgoing.iter().map(name).collect();
        (route.source, route.group, name(&route.incoming), outgoing, counters.packets, counters.wrong_interface)
    });
    let mut routes: Vec<_> = host
        .routes()
        .await
        .unwrap()
        .into_iter()
        .map(|route| (route.dev.as_ref().map(name), RouteInfo { dev: None, ..route }))
        .collect();
    routes.sort();
    Listed {
        links: shown.map(|link| (link.name.clone(), (link.up, link.mtu, link.alias.clone()))).collect(),
        addresses: host
            .addrs()
            .await
            .unwrap()
            .into_iter()
            .map(|addr| (name(&addr.index), AddrInfo { index: 0, ..addr }))
            .collect(),
        routes,
        rules: host.rules().await.unwrap(),
        tunnels: host.tunnels().await.unwrap().list().await.unwrap().into_iter().map(|tunnel| tunnel.spec).collect(),
        ingress: host.ingress().await.unwrap(),
        groups: groups.collect(),
    }
}

//! The network: every thing with its defaults, and every name in it known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::Ipv4Net;

use super::{
    addresses::Registry,
    context::{At, Context},
    reference,
};
use crate::{
    Metros, Plan,
    diagnostic::nearest,
    plan::{
        AccessPass, Bootstrap, Client, ClientName, Condition, Contributor, ContributorCode, Delay, Device, DeviceCaps,
        DeviceCode, DeviceType, Exchange, ExchangeCode, Group, GroupCode, LatLng, Link, LinkCode, OwnEndpoint,
        PathRule, Policy, Tenant, TenantCode, Timeouts,
    },
    schema::{self, Pass},
};

/// Names that mean something else.
const RESERVED: [&str; 8] = ["all", "chain", "operator", "core", "activator", "controller", "ledger", "internet"];
/// Length of the longest name: a namespace's interface names and the program's codes are made of it.
const LONGEST_NAME: usize = 32;

/// Names that lists of clients may use.
#[derive(Default)]
pub(super) struct Known {
    /// All clients.
    pub(super) clients: BTreeSet<String>,
    /// Clients with a count, by their common name.
    pub(super) counted: BTreeMap<String, BTreeSet<String>>,
}

/// A thing of the file under its own name, which differs from its key if it has a count.
struct Named<'t, 'f, T> {
    name: String,
    at: At<'t>,
    file: &'f T,
}

pub(super) fn network<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    file: &schema::Network,
    policy: &Policy,
    metros: &dyn Metros,
) -> (Plan, Known) {
    let mut known = Known::default();
    let mut names = Names::default();
    let devices = names.all(context, at, "devices", &file.devices, |device| device.count, &mut known.counted);
    known.counted.clear();
    let clients = names.all(context, at, "clients", &file.clients, |client| client.count, &mut known.counted);
    let groups = names.all(context, at, "groups", &file.groups, |_| None, &mut BTreeMap::new());
    known.clients = clients.iter().map(|client| client.name.clone()).collect();

    let mut codes = Names::default();
    let exchanges = codes.all(context, at, "exchanges", &file.exchanges, |_| None, &mut BTreeMap::new());
    let mut builder = Builder {
        context,
        policy,
        metros,
        registry: registry(policy),
        only_exchange: (file.exchanges.len() == 1).then(|| file.exchanges.keys().next().cloned()).flatten(),
        plan: empty(),
    };
    for exchange in exchanges {
        builder.exchange(&exchange);
    }
    let mut codes = Names::default();
    for contributor in
        codes.all(builder.context, at, "contributors", &file.contributors, |_| None, &mut BTreeMap::new())
    {
        builder.plan.contributors.insert(ContributorCode::new(&contributor.name), Contributor {});
    }
    if file.contributors.is_empty() {
        builder.plan.contributors.insert(ContributorCode::new("co1"), Contributor {});
    }
    builder.claim(&devices, &clients);
    for device in &devices {
        builder.device(device);
    }
    for client in &clients {
        builder.client(client);
    }
    let mut codes = Names::default();
    for tenant in codes.all(builder.context, at, "tenants", &file.tenants, |_| None, &mut BTreeMap::new()) {
        builder.tenant(&tenant, &known);
    }
    for group in groups {
        builder.group(&group, &known);
    }
    let mut codes = Names::default();
    for link in codes.all(builder.context, at, "links", &file.links, |_| None, &mut BTreeMap::new()) {
        builder.link(&link);
    }
    for (index, path) in file.paths.iter().enumerate() {
        builder.path(at.key("paths").item(index), path);
    }
    (builder.plan, known)
}

fn empty() -> Plan {
    Plan {
        exchanges: BTreeMap::new(),
        contributors: BTreeMap::new(),
        devices: BTreeMap::new(),
        clients: BTreeMap::new(),
        tenants: BTreeMap::new(),
        groups: BTreeMap::new(),
        links: BTreeMap::new(),
        paths: Vec::new(),
        timeouts: Timeouts { bring_up: Duration::ZERO, settle: Duration::ZERO, scenario: Duration::ZERO },
        steps: Vec::new(),
    }
}

/// The policy's blocks are of the internet too: nobody may bring addresses out of them.
fn registry(policy: &Policy) -> Registry {
    let mut registry = Registry::default();
    for net in &policy.blocks.doublezero {
        registry.note(*net, "a DoubleZero block".to_owned());
    }
    for net in &policy.blocks.publishers {
        registry.note(*net, "a block of publishers' addresses".to_owned());
    }
    registry
}

/// Names that are unique among several kinds of things.
#[derive(Default)]
struct Names {
    taken: BTreeMap<String, &'static str>,
}

impl Names {
    fn all<'t, 'f, T>(
        &mut self,
        context: &mut Context<'t, '_, '_>,
        network: At<'t>,
        section: &'static str,
        things: &'f BTreeMap<String, T>,
        count: impl Fn(&T) -> Option<u16>,
        counted: &mut BTreeMap<String, BTreeSet<String>>,
    ) -> Vec<Named<'t, 'f, T>> {
        let section_at = network.key(section);
        let mut all = Vec::new();
        for (key, file) in things {
            let at = section_at.key(key);
            let label = section_at.label(key);
            let names: Vec<String> = match count(file) {
                None => vec![key.clone()],
                Some(0) => {
                    context.error(at.key("count"), "a count is at least 1", "");
                    Vec::new()
                }
                Some(count) => (1..=count).map(|number| format!("{key}{number}")).collect(),
            };
            check_name(context, label, key);
            if count(file).is_some() {
                counted.insert(key.clone(), names.iter().cloned().collect());
            }
            for name in names {
                if let Some(first) = self.taken.insert(name.clone(), section) {
                    let message = format!("the name `{name}` is taken: it stands under `{first}`");
                    context.error(label, message, "names of devices, clients and groups are unique together");
                } else {
                    all.push(Named { name, at, file });
                }
            }
        }
        all
    }
}

fn check_name<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str) {
    let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if !letters || !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > LONGEST_NAME {
        let message = format!(
            "`{name}` is no name: expected small letters, digits, `-` and `_`, a letter first, at most {LONGEST_NAME}"
        );
        context.error(at, message, "");
    } else if RESERVED.contains(&name) {
        context.error(at, format!("`{name}` means something else already"), "take another name");
    }
}

struct Builder<'c, 't, 's, 'a, 'p> {
    context: &'c mut Context<'t, 's, 'a>,
    policy: &'p Policy,
    metros: &'p dyn Metros,
    registry: Registry,
    only_exchange: Option<String>,
    plan: Plan,
}

impl<'t> Builder<'_, 't, '_, '_, '_> {
    fn exchange(&mut self, exchange: &Named<'t, '_, schema::Exchange>) {
        let Named { name: code, at, file } = exchange;
        let location = match (file.lat, file.lng, self.metros.get(code)) {
            (Some(lat), Some(lng), _) => {
                if !(-90.0..=90.0).contains(&lat) {
                    self.context.error(at.key("lat"), format!("a latitude is -90 to 90 degrees, got {lat}"), "");
                }
                if !(-180.0..=180.0).contains(&lng) {
                    self.context.error(at.key("lng"), format!("a longitude is -180 to 180 degrees, got {lng}"), "");
                }
                LatLng { lat, lng }
            }
            (None, None, Some(location)) => location,
            (None, None, None) => {
                let message = format!("`{code}` is not a known metro and has no `lat` and `lng`");
                self.context.error(*at, message, nearest(code, self.metros.codes()));
                LatLng { lat: 0.0, lng: 0.0 }
            }
            _ => {
                self.context.error(*at, "`lat` and `lng` go together", "");
                LatLng { lat: 0.0, lng: 0.0 }
            }
        };
        let name = file.name.clone().unwrap_or_else(|| code.clone());
        self.plan.exchanges.insert(ExchangeCode::new(code), Exchange { name, location });
    }

    /// The metro a node names, or the only one; a known metro comes into being by being named.
    fn exchange_of(&mut self, at: At<'t>, code: Option<&String>) -> ExchangeCode {
        let Some(code) = code.or(self.only_exchange.as_ref()).cloned() else {
            let help = "needed unless `exchanges` lists exactly one";
            self.context.error(at, "the key `exchange` is missing", help);
            return ExchangeCode::new("");
        };
        let exchange = ExchangeCode::new(&code);
        if !self.plan.exchanges.contains_key(&exchange) {
            match self.metros.get(&code) {
                Some(location) => {
                    self.plan.exchanges.insert(exchange.clone(), Exchange { name: code, location });
                }
                None => {
                    let listed = self.plan.exchanges.keys().map(ExchangeCode::as_str);
                    let known: Vec<&str> = listed.chain(self.metros.codes()).collect();
                    self.context.unknown(at.key("exchange"), "exchange", &code, &["exchanges"], known);
                }
            }
        }
        exchange
    }

    /// Notes all addresses the file gives before any is given out.
    fn claim(&mut self, devices: &[Named<'t, '_, schema::Device>], clients: &[Named<'t, '_, schema::Client>]) {
        for Named { name, at, file } in devices {
            for (index, net) in file.prefix.0.iter().enumerate() {
                let owner = format!("the prefix of {name}");
                self.registry.claim(self.context, at.key("prefix").item(index), net.0, owner);
            }
            if let Some(ip) = file.public_ip {
                let owner = format!("the public_ip of {name}");
                self.registry.claim(self.context, at.key("public_ip"), ip.0.into(), owner);
            }
            for (index, endpoint) in file.endpoints.iter().enumerate() {
                if file.public_ip != Some(endpoint.address) {
                    let at = at.key("endpoints").item(index).key("address");
                    let owner = format!("an endpoint of {name}");
                    self.registry.claim(self.context, at, endpoint.address.0.into(), owner);
                }
            }
        }
        for Named { name, at, file } in clients {
            if let Some(ip) = file.ip {
                self.registry.claim(self.context, at.key("ip"), ip.0.into(), format!("the address of {name}"));
            }
        }
    }

    fn device(&mut self, device: &Named<'t, '_, schema::Device>) {
        let Named { name: code, at, file } = device;
        let exchange = self.exchange_of(*at, file.exchange.as_ref());
        let contributor = self.contributor_of(*at, file.contributor.as_ref());
        let public_ip = match file.public_ip {
            Some(ip) => ip.0,
            None => self.registry.next(Ipv4Net::new_assert([9, 0, 0, 0].into(), 9), format!("the public_ip of {code}")),
        };
        if file.count.is_some() && (file.public_ip.is_some() || !file.prefix.0.is_empty() || !file.endpoints.is_empty())
        {
            self.context.error(at.key("count"), "devices with a count cannot have addresses of their own", "");
        }
        let caps = DeviceCaps {
            max_users: file.max_users.unwrap_or(96),
            max_unicast: file.max_unicast,
            max_subscribers: file.max_subscribers,
            max_publishers: file.max_publishers,
            reserved_seats: file.reserved_seats,
        };
        let tunnel_slots = file.tunnel_slots.unwrap_or(4096);
        if !(1..=4096).contains(&tunnel_slots) {
            self.context.error(at.key("tunnel_slots"), format!("expected 1 to 4096, got {tunnel_slots}"), "");
        }
        let device = Device {
            exchange,
            contributor,
            device_type: match file.kind {
                schema::DeviceKind::Hybrid => DeviceType::Hybrid,
                schema::DeviceKind::Transit => DeviceType::Transit,
                schema::DeviceKind::Edge => DeviceType::Edge,
            },
            public_ip,
            public_ip_endpoint: file.public_ip_endpoint,
            bootstrap: self.bootstrap(*at, file),
            caps,
            tunnel_slots,
        };
        self.plan.devices.insert(DeviceCode::new(code), device);
    }

    fn contributor_of(&mut self, at: At<'t>, code: Option<&String>) -> ContributorCode {
        let mut known = self.plan.contributors.keys();
        match (code, known.next(), known.next()) {
            (None, Some(only), None) => only.clone(),
            (None, ..) => {
                let help = "needed unless there is exactly one";
                self.context.error(at, "the key `contributor` is missing", help);
                ContributorCode::new("")
            }
            (Some(code), ..) => {
                if !self.plan.contributors.contains_key(code.as_str()) {
                    let known: Vec<&str> = self.plan.contributors.keys().map(ContributorCode::as_str).collect();
                    self.context.unknown(at.key("contributor"), "contributor", code, &["contributors"], known);
                }
                ContributorCode::new(code)
            }
        }
    }

    fn bootstrap(&mut self, at: At<'t>, file: &schema::Device) -> Bootstrap {
        let prefixes: Vec<Ipv4Net> = file.prefix.0.iter().map(|net| net.0).collect();
        let lengths = 24..=self.policy.minimum_prefix;
        let expected = format!("expected a length of 24 to {}", self.policy.minimum_prefix);
        for (index, prefix) in prefixes.iter().enumerate() {
            if !lengths.contains(&prefix.prefix_len()) {
                let message = format!("the prefix {prefix} has a length out of range: {expected}");
                self.context.error(at.key("prefix").item(index), message, "policy.minimum_prefix sets the limit");
            }
        }
        if let (Some(_), true) = (file.carve, !prefixes.is_empty() || !file.endpoints.is_empty()) {
            let message =
                "`carve` does not go with `prefix` or `endpoints`: nothing is carved for a device that brings its own";
            self.context.error(at.key("carve"), message, "");
        }
        if let Some(carve) = file.carve.filter(|length| !lengths.contains(length)) {
            self.context.error(at.key("carve"), format!("{expected}, got {carve}"), "");
        }
        if !file.endpoints.is_empty() {
            if file.pull.is_some() {
                let message = "`pull` does not go with `endpoints`: nothing is pulled for a device that brings its own";
                self.context.error(at.key("pull"), message, "");
            }
            return Bootstrap::OwnEndpoints { endpoints: self.own_endpoints(at.key("endpoints"), file), prefixes };
        }
        let pull = file.pull.unwrap_or(self.policy.endpoints_per_device);
        let prefix_len = file.carve.unwrap_or(self.policy.minimum_prefix);
        // The first address of each prefix is reserved, and all others can be pulled.
        let room: u64 = match prefixes.as_slice() {
            [] => (1u64 << (32 - u32::from(prefix_len.min(32)))) - 1,
            own => own.iter().map(|net| (1u64 << (32 - u32::from(net.prefix_len()))) - 1).sum(),
        };
        if u64::from(pull) > room {
            self.context.error(at.key("pull"), format!("{pull} endpoints do not fit: there is room for {room}"), "");
        }
        match prefixes.is_empty() {
            true => Bootstrap::Carve { prefix_len, pull },
            false => Bootstrap::OwnPrefix { prefixes, pull },
        }
    }

    fn own_endpoints(&mut self, at: At<'t>, file: &schema::Device) -> Vec<OwnEndpoint> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for (index, endpoint) in file.endpoints.iter().enumerate() {
            if let Some(name) = &endpoint.interface {
                let at = at.item(index).key("interface");
                if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.ends_with(|c: char| c.is_ascii_digit())
                {
                    self.context.error(
                        at,
                        format!("expected a name such as Loopback150 or Ethernet2, got `{name}`"),
                        "",
                    );
                }
                if !taken.insert(name.to_ascii_lowercase()) {
                    self.context.error(at, format!("two endpoints are on `{name}`"), "");
                }
            }
        }
        let range = self.policy.loopbacks;
        let mut free = (range.first..=range.last).map(|number| format!("Loopback{number}"));
        let mut endpoints = Vec::new();
        for (index, endpoint) in file.endpoints.iter().enumerate() {
            let interface = match &endpoint.interface {
                Some(name) => name.clone(),
                None => match free.find(|name| !taken.contains(&name.to_ascii_lowercase())) {
                    Some(name) => name,
                    None => {
                        let message = format!("no loopback from {} to {} is left for it", range.first, range.last);
                        self.context.error(at.item(index), message, "policy.loopbacks sets the range");
                        break;
                    }
                },
            };
            endpoints.push(OwnEndpoint { interface, address: endpoint.address.0 });
        }
        endpoints
    }

    fn client(&mut self, client: &Named<'t, '_, schema::Client>) {
        let Named { name, at, file } = client;
        let exchange = self.exchange_of(*at, file.exchange.as_ref());
        let client_ip = match file.ip {
            Some(ip) => ip.0,
            None => self.registry.next(Ipv4Net::new_assert([9, 128, 0, 0].into(), 9), format!("the address of {name}")),
        };
        if file.count.is_some() && file.ip.is_some() {
            self.context.error(at.key("count"), "clients with a count cannot have an address of their own", "");
        }
        let pass = match &file.pass {
            Pass::None => None,
            Pass::Some(limits) => Some(AccessPass {
                any_ip: limits.any_ip,
                max_unicast: limits.unicast.unwrap_or(1),
                max_multicast: limits.multicast.unwrap_or(1),
                last_epoch: limits.last_epoch.unwrap_or(u64::MAX),
                tenants: BTreeSet::new(),
                publish: BTreeSet::new(),
                subscribe: BTreeSet::new(),
            }),
        };
        self.plan.clients.insert(ClientName::new(name), Client { exchange, client_ip, pass });
    }

    fn tenant(&mut self, tenant: &Named<'t, '_, schema::Tenant>, known: &Known) {
        let code = TenantCode::new(&tenant.name);
        for client in self.members(tenant.at.key("clients"), &tenant.file.clients, known) {
            if let Some(pass) = self.pass(&client) {
                pass.tenants.insert(code.clone());
            }
        }
        self.plan.tenants.insert(code, Tenant {});
    }

    fn group(&mut self, group: &Named<'t, '_, schema::Group>, known: &Known) {
        let code = GroupCode::new(&group.name);
        let publishers = self.members(group.at.key("publishers"), &group.file.publishers, known);
        let subscribers = self.members(group.at.key("subscribers"), &group.file.subscribers, known);
        for client in &publishers {
            if let Some(pass) = self.pass(client) {
                pass.publish.insert(code.clone());
            }
        }
        for client in &subscribers {
            if let Some(pass) = self.pass(client) {
                pass.subscribe.insert(code.clone());
            }
        }
        self.plan.groups.insert(code, Group { publishers, subscribers });
    }

    /// Clients of a list, each of which must have a pass to be listed by name; `all` leaves those without one out.
    fn members(&mut self, at: At<'t>, names: &schema::Names, known: &Known) -> BTreeSet<ClientName> {
        let clients: BTreeSet<ClientName> =
            self.context.clients(at, names, known).iter().map(|name| ClientName::new(name)).collect();
        let passless = |plan: &Plan, name: &str| plan.clients.get(name).is_some_and(|client| client.pass.is_none());
        for (index, name) in names.0.iter().enumerate() {
            if passless(&self.plan, name) {
                let message = format!("`{name}` has no access pass that could list this");
                self.context.error(at.item(index), message, "the client has `pass: false`");
            }
        }
        clients.into_iter().filter(|client| !passless(&self.plan, client.as_str())).collect()
    }

    fn pass(&mut self, client: &ClientName) -> Option<&mut AccessPass> {
        self.plan.clients.get_mut(client)?.pass.as_mut()
    }

    fn link(&mut self, link: &Named<'t, '_, schema::Link>) {
        let Named { name: code, at, file } = link;
        let (a, z) = self.halves(code);
        let (Some(a), Some(z)) = (self.end(*at, "a", file.a.as_ref(), a), self.end(*at, "z", file.z.as_ref(), z))
        else {
            return;
        };
        if a == z {
            self.context.error(*at, format!("both ends of the link are `{a}`"), "");
        }
        let delay = file.delay.map_or(Delay::ByDistance, |delay| Delay::Fixed(delay.0));
        // What the program takes.
        if let Delay::Fixed(delay) = delay
            && !(Duration::from_micros(10)..=Duration::from_secs(1)).contains(&delay)
        {
            let message = format!("a link's delay is 10us to 1s, got {}", humantime::format_duration(delay));
            self.context.error(at.key("delay"), message, "");
        }
        let mtu = file.mtu.unwrap_or(9000);
        self.check_mtu(at.key("mtu"), mtu);
        let link = Link {
            a_interface: self.port(&a),
            z_interface: self.port(&z),
            a,
            z,
            delay,
            jitter: file.jitter.map_or(Duration::ZERO, |jitter| jitter.0),
            loss_ppm: file.loss.map_or(0, |loss| loss.0),
            rate_bps: file.rate.map_or(10_000_000_000, |rate| rate.0),
            mtu,
        };
        self.plan.links.insert(LinkCode::new(code), link);
    }

    /// The two devices that a link's code names by itself.
    fn halves(&self, code: &str) -> (Option<String>, Option<String>) {
        code.match_indices('-')
            .map(|(at, _)| (&code[..at], &code[at + 1..]))
            .find(|(a, z)| self.plan.devices.contains_key(*a) && self.plan.devices.contains_key(*z))
            .map_or((None, None), |(a, z)| (Some(a.to_owned()), Some(z.to_owned())))
    }

    fn end(&mut self, at: At<'t>, key: &str, named: Option<&String>, half: Option<String>) -> Option<DeviceCode> {
        let Some(name) = named.cloned().or(half) else {
            let help = "needed unless the link's code is two devices with a `-` between";
            self.context.error(at, format!("the key `{key}` is missing"), help);
            return None;
        };
        reference::device(self.context, at.key(key), &name, &self.plan)
    }

    /// The lowest port of a device that nothing uses.
    fn port(&self, device: &DeviceCode) -> String {
        let own = match self.plan.devices.get(device).map(|device| &device.bootstrap) {
            Some(Bootstrap::OwnEndpoints { endpoints, .. }) => endpoints.as_slice(),
            _ => &[],
        };
        let used: BTreeSet<&str> = (self.plan.links.values())
            .flat_map(|link| [(&link.a, &link.a_interface), (&link.z, &link.z_interface)])
            .filter(|(end, _)| *end == device)
            .map(|(_, interface)| interface.as_str())
            .chain(own.iter().map(|endpoint| endpoint.interface.as_str()))
            .collect();
        let free = (1u32..).map(|number| format!("Ethernet{number}")).find(|name| !used.contains(name.as_str()));
        free.unwrap_or_default()
    }

    fn path(&mut self, at: At<'t>, file: &schema::Path) {
        if file.rtt.is_some() && file.delay.is_some() {
            self.context.error(
                at.key("delay"),
                "`rtt` and `delay` do not go together",
                "a round trip takes the delay twice",
            );
        }
        if let (Some(_), true) = (file.rtt, file.one_way) {
            self.context.error(at.key("rtt"), "`rtt` does not go with `one_way`", "give the `delay` of the one way");
        }
        if let Some(mtu) = file.mtu {
            self.check_mtu(at.key("mtu"), mtu);
        }
        let from = reference::path_end(self.context, at.key("from"), &file.from, &self.plan);
        let to = reference::path_end(self.context, at.key("to"), &file.to, &self.plan);
        let (Some(from), Some(to)) = (from, to) else { return };
        let condition = Condition {
            blocked: file.blocked,
            delay: file.rtt.map(|rtt| rtt.0 / 2).or(file.delay.map(|delay| delay.0)),
            jitter: file.jitter.map(|jitter| jitter.0),
            loss_ppm: file.loss.map(|loss| loss.0),
            reorder_ppm: file.reorder.map(|share| share.0),
            duplicate_ppm: file.duplicate.map(|share| share.0),
            rate_bps: file.rate.map(|rate| rate.0),
            mtu: file.mtu,
        };
        if condition == Condition::default() {
            let help = "such as `rtt: 10ms`, `loss: 1%` or `blocked: true`";
            self.context.error(at, "the path says nothing that is not so already", help);
        }
        self.plan.paths.push(PathRule { from, to, both_ways: !file.one_way, condition });
    }

    fn check_mtu(&mut self, at: At<'t>, mtu: u16) {
        // Less than 576 no host needs to accept (RFC 791, section 3.2).
        if mtu < 576 {
            self.context.error(at, format!("an MTU is at least 576 octets, got {mtu}"), "");
        }
    }
}

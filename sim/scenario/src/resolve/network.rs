//! The network: every thing with its defaults, and every name in it known.

use std::{collections::BTreeMap, time::Duration};

use super::{
    addresses::Registry,
    context::{At, Context},
    known::Known,
    names::{Named, Names},
    translator::Translator,
};
use crate::{
    Lexicon, Plan,
    diagnostic::nearest,
    plan::{Contributor, ContributorCode, Exchange, ExchangeCode, LatLng, Policy, Timeouts},
    schema,
};

pub(super) fn network<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    file: &schema::Network,
    policy: &Policy,
    lexicon: &dyn Lexicon,
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
        lexicon,
        registry: registry(policy),
        only_exchange: (file.exchanges.len() == 1).then(|| file.exchanges.keys().next().cloned()).flatten(),
        nats: BTreeMap::new(),
        plan: empty(),
    };
    for exchange in exchanges {
        builder.exchange(&exchange);
    }
    let mut codes = Names::default();
    for contributor in
        codes.all(builder.context, at, "contributors", &file.contributors, |_| None, &mut BTreeMap::new())
    {
        let prefixes = contributor.file.prefix.0.iter().map(|net| net.0).collect();
        let value = Contributor { prefixes, granted_blocks: contributor.file.granted_blocks };
        builder.plan.contributors.insert(ContributorCode::new(&contributor.name), value);
    }
    if file.contributors.is_empty() {
        builder.plan.contributors.insert(ContributorCode::new("co1"), Contributor::default());
    }
    builder.claim(&devices, &clients);
    let mut codes = Names::default();
    for nat in codes.all(builder.context, at, "nats", &file.nats, |_| None, &mut BTreeMap::new()) {
        builder.nat(&nat);
    }
    for device in &devices {
        builder.device(device);
    }
    for client in &clients {
        builder.client(client);
    }
    let mut codes = Names::default();
    for tenant in codes.all(builder.context, at, "tenants", &file.tenants, |t| t.count, &mut BTreeMap::new()) {
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

/// The policy's blocks are public too: contributors may not bring addresses out of them.
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

/// The plan as far as it is made.
pub(super) struct Builder<'c, 't, 's, 'a, 'p> {
    pub(super) context: &'c mut Context<'t, 's, 'a>,
    pub(super) policy: &'p Policy,
    pub(super) lexicon: &'p dyn Lexicon,
    pub(super) registry: Registry,
    pub(super) only_exchange: Option<String>,
    pub(super) nats: BTreeMap<String, Translator>,
    pub(super) plan: Plan,
}

impl<'t> Builder<'_, 't, '_, '_, '_> {
    fn exchange(&mut self, exchange: &Named<'t, '_, schema::Exchange>) {
        let Named { name: code, at, file } = exchange;
        let location = match (file.lat, file.lng, self.lexicon.metro(code)) {
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
                self.context.error(*at, message, nearest(code, self.lexicon.metros()));
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
    pub(super) fn exchange_of(&mut self, at: At<'t>, code: Option<&String>) -> ExchangeCode {
        let Some(code) = code.or(self.only_exchange.as_ref()).cloned() else {
            let help = "needed unless `exchanges` lists exactly one";
            self.context.error(at, "the key `exchange` is missing", help);
            return ExchangeCode::new("");
        };
        let exchange = ExchangeCode::new(&code);
        if !self.plan.exchanges.contains_key(&exchange) {
            match self.lexicon.metro(&code) {
                Some(location) => {
                    self.plan.exchanges.insert(exchange.clone(), Exchange { name: code, location });
                }
                None => {
                    let listed = self.plan.exchanges.keys().map(ExchangeCode::as_str);
                    let known: Vec<&str> = listed.chain(self.lexicon.metros()).collect();
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
}

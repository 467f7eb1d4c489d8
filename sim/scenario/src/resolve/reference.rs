//! Names and references in steps: looked up as far as they can be before anything runs.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::context::{At, Context};
use crate::{
    Plan,
    diagnostic::nearest,
    plan::{
        Blocks, Bootstrap, ClientName, Device, DeviceCode, GroupCode, Identity, LinkCode, Node, PathEnd, Policy, Ref,
        Target, TrafficEnd,
    },
};

/// The operator of the network, as an identity.
const FOUNDATION: &str = "foundation";

pub(super) fn device<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str, plan: &Plan) -> Option<DeviceCode> {
    if let Some((code, _)) = plan.devices.get_key_value(name) {
        return Some(code.clone());
    }
    context.unknown(at, "device", name, &["devices"], plan.devices.keys().map(DeviceCode::as_str));
    None
}

pub(super) fn client<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str, plan: &Plan) -> Option<ClientName> {
    if let Some((name, _)) = plan.clients.get_key_value(name) {
        return Some(name.clone());
    }
    context.unknown(at, "client", name, &["clients"], plan.clients.keys().map(ClientName::as_str));
    None
}

pub(super) fn group<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str, plan: &Plan) -> Option<GroupCode> {
    if let Some((code, _)) = plan.groups.get_key_value(name) {
        return Some(code.clone());
    }
    context.unknown(at, "group", name, &["groups"], plan.groups.keys().map(GroupCode::as_str));
    None
}

pub(super) fn link<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str, plan: &Plan) -> Option<LinkCode> {
    if let Some((code, _)) = plan.links.get_key_value(name) {
        return Some(code.clone());
    }
    context.unknown(at, "link", name, &["links"], plan.links.keys().map(LinkCode::as_str));
    None
}

/// A client or a device.
pub(super) fn node<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str, plan: &Plan) -> Option<Node> {
    let found = known_node(name, plan);
    if found.is_none() {
        context.unknown(at, "node", name, &["clients", "devices"], node_names(plan));
    }
    found
}

/// A client, a device or the operator.
pub(super) fn place<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str, plan: &Plan) -> Option<Node> {
    if name == "operator" {
        return Some(Node::Operator);
    }
    let found = known_node(name, plan);
    if found.is_none() {
        context.unknown(at, "node", name, &["clients", "devices"], node_names(plan).chain(["operator"]));
    }
    found
}

/// Somebody with a key: the foundation, a contributor, a tenant's administrator or a client's user.
pub(super) fn identity<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str, plan: &Plan) -> Option<Identity> {
    let contributor = plan.contributors.get_key_value(name).map(|(code, _)| Identity::Contributor(code.clone()));
    let tenant = plan.tenants.get_key_value(name).map(|(code, _)| Identity::Tenant(code.clone()));
    let client = plan.clients.get_key_value(name).map(|(name, _)| Identity::Client(name.clone()));
    let foundation = (name == FOUNDATION).then_some(Identity::Foundation);
    let mut found = [foundation, contributor, tenant, client].into_iter().flatten();
    let first = found.next();
    if first.is_none() {
        let codes = plan.contributors.keys().map(|code| code.as_str());
        let codes = codes.chain(plan.tenants.keys().map(|code| code.as_str()));
        let known = codes.chain(plan.clients.keys().map(ClientName::as_str)).chain([FOUNDATION]);
        context.unknown(at, "identity", name, &["contributors", "tenants", "clients"], known.collect::<Vec<_>>());
    }
    if found.next().is_some() {
        let message = format!("`{name}` is the name of several: a contributor, a tenant or a client");
        context.error(at, message, "give them different names");
    }
    first
}

pub(super) fn known_node(name: &str, plan: &Plan) -> Option<Node> {
    let client = plan.clients.get_key_value(name).map(|(name, _)| Node::Client(name.clone()));
    client.or_else(|| plan.devices.get_key_value(name).map(|(code, _)| Node::Device(code.clone())))
}

pub(super) fn node_names(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.clients.keys().map(ClientName::as_str).chain(plan.devices.keys().map(DeviceCode::as_str))
}

/// The only client, for steps that do not say where.
pub(super) fn only_client<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, plan: &Plan) -> Option<ClientName> {
    let mut clients = plan.clients.keys();
    if let (Some(only), None) = (clients.next(), clients.next()) {
        return Some(only.clone());
    }
    context.error(at, "the key `on` is missing", "needed unless there is exactly one client");
    None
}

/// What a word stands for: an address known now, or one that will be known.
pub(super) enum Word {
    Address(Ipv4Addr),
    Ref(Ref),
}

/// Reads a word as a reference. `Ok(None)` is a word that is none; `Err` is one that was meant as one, as a sentence,
/// with the name that is not known and its kind.
pub(super) fn word(text: &str, plan: &Plan) -> Result<Option<Word>, Stray> {
    let mut parts = text.split('.');
    let (Some(name), Some(what)) = (parts.next(), parts.next()) else { return Ok(None) };
    let rest: Vec<&str> = parts.collect();
    let index = match rest.as_slice() {
        [number] => number.parse::<usize>().ok(),
        _ => None,
    };
    let tunnel = match rest.as_slice() {
        [] => Some("doublezero0".to_owned()),
        [name] => Some((*name).to_owned()),
        _ => None,
    };
    let Some((_, kind, form, _)) = FORMS.iter().find(|(word, ..)| *word == what) else { return Ok(None) };
    let device = || plan.devices.get_key_value(name);
    let client = || plan.clients.get_key_value(name);
    let found = match what {
        "endpoints" => device().zip(index).map(|((code, _), index)| Ref::Endpoint { device: code.clone(), index }),
        "prefixes" => device().zip(index).map(|((code, _), index)| Ref::Prefix { device: code.clone(), index }),
        "public_ip" if rest.is_empty() => match device() {
            Some((_, device)) => return Ok(Some(Word::Address(device.public_ip))),
            None => None,
        },
        "client_ip" if rest.is_empty() => match client() {
            Some((_, client)) => return Ok(Some(Word::Address(client.client_ip))),
            None => None,
        },
        "dz_ip" => client().zip(tunnel).map(|((name, _), tunnel)| Ref::DzIp { client: name.clone(), tunnel }),
        "endpoint" => {
            client().zip(tunnel).map(|((name, _), tunnel)| Ref::TunnelEndpoint { client: name.clone(), tunnel })
        }
        "key" if rest.is_empty() => client().map(|(name, _)| Ref::Key(name.clone())),
        "ip" if rest.is_empty() => plan.groups.get_key_value(name).map(|(code, _)| Ref::GroupIp(code.clone())),
        _ => None,
    };
    if let Some(Ref::Endpoint { device, index }) = &found
        && let Some(Bootstrap::OwnEndpoints { endpoints, .. }) =
            plan.devices.get(device).map(|device| &device.bootstrap)
    {
        let public_ip = plan.devices.get(device).is_some_and(|device| device.public_ip_endpoint);
        let count = endpoints.len() + usize::from(public_ip);
        if *index >= count {
            return Err(Stray::Form(format!("`{device}` has {count} endpoints, numbered from 0")));
        }
    }
    match found {
        Some(found) => Ok(Some(Word::Ref(found))),
        None if name_is_known(kind, name, plan) => {
            Err(Stray::Form(format!("expected a reference such as {form}, got `{text}`")))
        }
        None => Err(Stray::Name { kind, name: name.to_owned() }),
    }
}

/// References by their second word: what the first names, the form, and what they stand for.
pub(crate) const FORMS: [(&str, &str, &str, &str); 8] = [
    ("endpoints", "device", "nyc1.endpoints.0", "an address of the device's endpoint table, counted from 0"),
    ("prefixes", "device", "nyc1.prefixes.0", "a prefix of the device, counted from 0"),
    ("public_ip", "device", "nyc1.public_ip", "the device's address on the internet"),
    ("client_ip", "client", "val1.client_ip", "the client's public address"),
    ("dz_ip", "client", "val1.dz_ip.doublezero1", "the client's address in that tunnel; without one, in doublezero0"),
    ("endpoint", "client", "val1.endpoint.doublezero1", "the address that tunnel ends on; without one, doublezero0"),
    ("key", "client", "val1.key", "the key that pays for what the client asks for"),
    ("ip", "group", "mg01.ip", "the address of a multicast group"),
];

fn name_is_known(kind: &str, name: &str, plan: &Plan) -> bool {
    match kind {
        "device" => plan.devices.contains_key(name),
        "client" => plan.clients.contains_key(name),
        _ => plan.groups.contains_key(name),
    }
}

/// A word that was meant as a reference.
pub(super) enum Stray {
    /// A sentence.
    Form(String),
    /// A name that nothing has.
    Name { kind: &'static str, name: String },
}

/// Reports a word that was meant as a reference.
pub(super) fn stray<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, stray: &Stray, plan: &Plan) {
    match stray {
        Stray::Form(message) => context.error(at, message.clone(), ""),
        Stray::Name { kind, name } => match *kind {
            "device" => context.unknown(at, kind, name, &["devices"], plan.devices.keys().map(DeviceCode::as_str)),
            "client" => context.unknown(at, kind, name, &["clients"], plan.clients.keys().map(ClientName::as_str)),
            _ => context.unknown(at, kind, name, &["groups"], plan.groups.keys().map(GroupCode::as_str)),
        },
    }
}

/// Whom packets are sent to.
pub(super) fn target<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, text: &str, plan: &Plan) -> Option<Target> {
    if let Some((code, _)) = plan.groups.get_key_value(text) {
        return Some(Target::Group(code.clone()));
    }
    match end(context, at, text, plan, plan.groups.keys().map(GroupCode::as_str))? {
        End::Node(Node::Client(name)) => Some(Target::Client(name)),
        End::Node(Node::Device(code)) => Some(Target::Device(code)),
        End::Node(Node::Operator) => None,
        End::Address(address) => Some(Target::Address(address)),
        End::Ref(found) => Some(Target::Ref(found)),
    }
}

/// Reports a single address that packets are expected to arrive at and that no node can have, inside tunnels and links or
/// outside.
pub(super) fn answered<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    to: Option<&Target>,
    (plan, policy): (&Plan, &Policy),
) {
    let Some(&Target::Address(address)) = to else { return };
    let Blocks { doublezero: _, user_tunnels, device_tunnels, groups, publishers } = &policy.blocks;
    let mut inside = [user_tunnels, device_tunnels, groups, publishers].into_iter().flatten();
    let is_inside = inside.any(|block| block.contains(&address));
    let is_behind = plan.clients.values().any(|client| client.nat.as_ref().is_some_and(|nat| nat.inside == address));
    if !is_inside && !is_behind && !address.is_loopback() && !has_node(context, address, plan, policy) {
        nobodys(context, at, address, plan);
    }
}

/// Reports an address that no node has, with the nearest that one has.
fn nobodys<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, address: Ipv4Addr, plan: &Plan) {
    let known = addresses(plan);
    let help = nearest(&address.to_string(), known.iter().map(String::as_str));
    context.error(at, format!("no node has the address {address}"), help);
}

/// Both ends of public paths. Packets are distinguished by destination: a single address can only be the end they go to.
pub(super) fn path_ends<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    (from, to): (&str, &str),
    one_way: bool,
    (plan, policy): (&Plan, &Policy),
) -> Option<(PathEnd, PathEnd)> {
    let start = node(context, at.key("from"), from, plan);
    let end = path_end(context, at.key("to"), to, plan);
    let (start, end) = (start?, end?);
    if let PathEnd::Address(address) = &end
        && !has_node(context, *address, plan, policy)
    {
        nobodys(context, at.key("to"), *address, plan);
    }
    if let (PathEnd::Address(_) | PathEnd::Ref(_), false) = (&end, one_way) {
        let help = "packets are told apart by where they go, so those that come back from one address cannot be meant";
        context.error(at.key("to"), format!("a path to the single address `{to}` needs `one_way: true`"), help);
    }
    let start = match start {
        Node::Client(name) => PathEnd::Client(name),
        Node::Device(code) => PathEnd::Device(code),
        Node::Operator => return None,
    };
    Some((start, end))
}

/// Whether a node has an address or may get it: from a prefix, a block, or a command that mentions it.
fn has_node(context: &Context<'_, '_, '_>, address: Ipv4Addr, plan: &Plan, policy: &Policy) -> bool {
    is_taken(address, plan, policy) || context.mentioned.has_address(address)
}

/// Whether somebody has this address from the start, or may be given it.
pub(super) fn is_taken(address: Ipv4Addr, plan: &Plan, policy: &Policy) -> bool {
    let in_any = |nets: &[Ipv4Net]| nets.iter().any(|net| net.contains(&address));
    let device = |device: &Device| {
        device.public_ip == address
            || match &device.bootstrap {
                Bootstrap::Carve { .. } => {
                    let own = plan.contributors.get(&device.contributor).map(|owner| owner.prefixes.as_slice());
                    in_any(&policy.blocks.doublezero) || in_any(own.unwrap_or_default())
                }
                Bootstrap::OwnPrefix { prefixes, .. } => in_any(prefixes),
                Bootstrap::OwnEndpoints { endpoints, prefixes } => {
                    in_any(prefixes) || endpoints.iter().any(|endpoint| endpoint.address == address)
                }
            }
    };
    plan.clients.values().any(|client| client.client_ip == address) || plan.devices.values().any(device)
}

/// The addresses that the file itself names, for suggestions.
fn addresses(plan: &Plan) -> Vec<String> {
    let clients = plan.clients.values().map(|client| client.client_ip);
    let devices = plan.devices.values().flat_map(|device| {
        let endpoints = match &device.bootstrap {
            Bootstrap::OwnEndpoints { endpoints, .. } => endpoints.as_slice(),
            Bootstrap::Carve { .. } | Bootstrap::OwnPrefix { .. } => &[],
        };
        std::iter::once(device.public_ip).chain(endpoints.iter().map(|endpoint| endpoint.address))
    });
    clients.chain(devices).map(|address| address.to_string()).collect()
}

fn path_end<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, text: &str, plan: &Plan) -> Option<PathEnd> {
    match end(context, at, text, plan, [])? {
        End::Node(Node::Client(name)) => Some(PathEnd::Client(name)),
        End::Node(Node::Device(code)) => Some(PathEnd::Device(code)),
        End::Node(Node::Operator) => None,
        End::Address(address) => Some(PathEnd::Address(address)),
        End::Ref(found) => Some(PathEnd::Ref(found)),
    }
}

/// Source or destination of packets.
pub(super) fn traffic_end<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    text: &str,
    plan: &Plan,
) -> Option<TrafficEnd> {
    match end(context, at, text, plan, [])? {
        End::Node(Node::Client(name)) => Some(TrafficEnd::Client(name)),
        End::Node(Node::Device(code)) => Some(TrafficEnd::Device(code)),
        End::Node(Node::Operator) => None,
        End::Address(address) => Some(TrafficEnd::Address(address)),
        End::Ref(found) => Some(TrafficEnd::Ref(found)),
    }
}

enum End {
    Node(Node),
    Address(Ipv4Addr),
    Ref(Ref),
}

fn end<'t, 'k>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    text: &str,
    plan: &'k Plan,
    others: impl IntoIterator<Item = &'k str>,
) -> Option<End> {
    if let Some(node) = known_node(text, plan) {
        return Some(End::Node(node));
    }
    if let Ok(address) = text.parse() {
        return Some(End::Address(address));
    }
    match word(text, plan) {
        Ok(Some(Word::Address(address))) => Some(End::Address(address)),
        Ok(Some(Word::Ref(Ref::Key(_)))) => {
            context.error(at, format!("expected a node or an address, got the key `{text}`"), "");
            None
        }
        Ok(Some(Word::Ref(found))) => Some(End::Ref(found)),
        Ok(None) => {
            let known = node_names(plan).chain(others);
            context.unknown(at, "node or address", text, &["clients", "devices", "groups"], known);
            None
        }
        Err(found) => {
            stray(context, at, &found, plan);
            None
        }
    }
}

/// A tunnel interface.
pub(super) fn tunnel<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str) -> String {
    let number = name.strip_prefix("doublezero");
    if !number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())) {
        context.error(at, format!("expected a tunnel such as doublezero0, got `{name}`"), "");
    }
    name.to_owned()
}

//! Places in views: every word of a path must name something that can be there.

use std::net::Ipv4Addr;

use super::{
    context::{At, Context},
    device::{is_interface, similar_own_interface},
    mentioned::Mentioned,
    reference::{self, Word, known_node, node_names},
};
use crate::{
    Plan,
    diagnostic::{nearest, similar},
    plan::{CHAIN_VIEWS, CLIENT_VIEWS, DEVICE_VIEWS, Match, Node, RUN_VIEWS, Segment, Shape, View, ViewPath},
};

/// Properties of the run itself.
const RUN: &str = "run";

/// What a file has and mentions.
#[derive(Clone, Copy)]
struct Known<'p> {
    plan: &'p Plan,
    mentioned: &'p Mentioned,
}

/// A place in a view, and what it looks like there.
pub(super) fn view_path<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    text: &str,
    plan: &Plan,
) -> Option<(ViewPath, Shape)> {
    let known = Known { plan, mentioned: context.mentioned };
    let Some(words) = split(text) else {
        context.error(at, format!("`{text}` is no path: expected words with dots between, or keys in [ ]"), "");
        return None;
    };
    let mut words = words.into_iter();
    let view = view(context, at, words.next()?, words.next(), known.plan)?;
    let mut shape = view.shape();
    let mut rest = Vec::new();
    for word in words {
        let (segment, below) = below(shape, &word).map_err(|(message, help)| context.error(at, message, help)).ok()?;
        if let (true, Segment::Key(key)) = (rest.is_empty(), &segment)
            && let Some((message, help)) = known.stray_key(&view, key)
        {
            context.error(at, message, help);
            return None;
        }
        shape = below;
        rest.push(segment);
    }
    Some((ViewPath { text: text.to_owned(), view, rest }, shape))
}

/// Where a word of a path leads from a value of this shape. `Err` is a sentence and what may be meant.
fn below(shape: Shape, word: &str) -> Result<(Segment, Shape), (String, String)> {
    let key = || Segment::Key(word.to_owned());
    let index = || word.parse().map(Segment::Index);
    match shape {
        Shape::Scalar | Shape::Word(_) => {
            Err((format!("`{word}` leads into a value that has no parts"), String::new()))
        }
        _ if word == "count" => Ok((Segment::Count, Shape::Scalar)),
        Shape::Any => Ok((index().unwrap_or_else(|_| key()), Shape::Any)),
        Shape::List(inner) => Ok((index().unwrap_or_else(|_| key()), *inner)),
        Shape::Names(inner) => Ok((key(), *inner)),
        Shape::Table(fields) => match field(fields, word) {
            Ok(shape) => Ok((key(), shape)),
            Err(help) => Err((format!("no such field: `{word}`"), help)),
        },
    }
}

fn view<'t>(
    context: &mut Context<'t, '_, '_>,
    at: At<'t>,
    owner: String,
    word: Option<String>,
    plan: &Plan,
) -> Option<View> {
    let node = known_node(&owner, plan);
    let known: Vec<&str> = match &node {
        Some(Node::Client(_)) => CLIENT_VIEWS.iter().map(|(word, ..)| *word).collect(),
        Some(Node::Device(_)) => DEVICE_VIEWS.iter().map(|(word, ..)| *word).collect(),
        _ if owner == "chain" => CHAIN_VIEWS.iter().map(|(word, ..)| *word).collect(),
        _ if owner == RUN => RUN_VIEWS.iter().map(|(word, ..)| *word).collect(),
        _ => {
            let names = node_names(plan).chain(["chain", RUN]);
            context.unknown(at, "node", &owner, &["clients", "devices"], names);
            return None;
        }
    };
    let Some(word) = word else {
        let help = format!("known here: {}", known.join(", "));
        context.error(at, format!("expected a view such as {owner}.{}, got `{owner}`", known[0]), help);
        return None;
    };
    let view = match node {
        Some(Node::Client(name)) => View::of_client(name, &word),
        Some(Node::Device(code)) => View::of_device(code, &word),
        _ if owner == RUN => View::of_run(&word),
        _ => View::of_chain(&word),
    };
    if view.is_none() {
        context.error(at, format!("`{owner}` has no view `{word}`"), nearest(&word, known.iter().copied()));
    }
    view
}

/// A field of a table, or which one may be meant.
fn field(fields: &[(&str, Shape)], key: &str) -> Result<Shape, String> {
    let found = fields.iter().find(|(field, _)| *field == key).map(|(_, shape)| *shape);
    found.ok_or_else(|| nearest(key, fields.iter().map(|(field, _)| *field)))
}

/// Reports what is expected of a value that can never be there.
pub(super) fn check<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, expected: &Match, shape: Shape) {
    match (expected, shape) {
        (_, Shape::Any) => {}
        (Match::Table(entries), Shape::Table(fields)) => {
            for (key, expected) in entries {
                match field(fields, key) {
                    Ok(shape) => check(context, at.key(key), expected, shape),
                    Err(help) => context.error(at.label(key), format!("no such field: `{key}`"), help),
                }
            }
        }
        (Match::Table(entries), Shape::Names(shape)) => {
            entries.iter().for_each(|(key, expected)| check(context, at.key(key), expected, *shape));
        }
        (Match::List(items), Shape::List(shape)) => each(context, at, items, *shape),
        (Match::Contains(items), Shape::List(shape)) => each(context, at.key("contains"), items, *shape),
        (Match::AnyOf(items), shape) => each(context, at.key("any_of"), items, shape),
        (Match::Not(inner), shape) => check(context, at.key("not"), inner, shape),
        (Match::Text(text), Shape::Word(words)) if !words.contains(&text.as_str()) => {
            context.error(at, format!("it is never `{text}`"), nearest(text, words.iter().copied()));
        }
        (Match::Table(_), Shape::List(_) | Shape::Scalar | Shape::Word(_)) => {
            context.error(at, format!("a table is expected where there is {}", name(shape)), "");
        }
        (Match::List(_), Shape::Names(_) | Shape::Table(_) | Shape::Scalar | Shape::Word(_)) => {
            context.error(at, format!("a list is expected where there is {}", name(shape)), "");
        }
        _ => {}
    }
}

fn each<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, items: &[Match], shape: Shape) {
    items.iter().enumerate().for_each(|(index, item)| check(context, at.item(index), item, shape));
}

fn name(shape: Shape) -> &'static str {
    match shape {
        Shape::List(_) => "a list",
        Shape::Names(_) | Shape::Table(_) => "a table",
        Shape::Any | Shape::Scalar | Shape::Word(_) => "a single value",
    }
}

impl Known<'_> {
    /// What is wrong with a key of a view that has its values by name, and the nearest valid one; none if something of the
    /// file has that name, or a command mentions it.
    fn stray_key(self, view: &View, key: &str) -> Option<(String, String)> {
        let plan = self.plan;
        fn names<'n, N: AsRef<str> + 'n>(names: impl Iterator<Item = &'n N>) -> Vec<String> {
            names.map(|name| name.as_ref().to_owned()).collect()
        }
        let (kind, mut known) = match view {
            View::ChainContributors => ("contributor", names(plan.contributors.keys())),
            View::ChainExchanges => ("exchange", names(plan.exchanges.keys())),
            View::ChainDevices => ("device", names(plan.devices.keys())),
            View::ChainLinks => ("link", names(plan.links.keys())),
            View::ChainTenants => ("tenant", names(plan.tenants.keys())),
            View::ChainGroups => ("group", names(plan.groups.keys())),
            View::ChainPasses => return self.stray_pass(key),
            View::ChainPools => return self.stray_pool(key),
            View::ChainInterfaces => return self.stray_interface(key),
            _ => return None,
        };
        if known.iter().any(|name| name == key) || self.mentioned.has(key) {
            return None;
        }
        known.sort();
        let help = nearest(key, known.iter().map(String::as_str));
        Some((format!("the chain has no {kind} `{key}`, and no step makes one"), help))
    }

    fn stray_pass(self, key: &str) -> Option<(String, String)> {
        let address = key.split(':').next().unwrap_or(key);
        let mut known: Vec<Ipv4Addr> = self
            .plan
            .clients
            .values()
            .filter_map(|client| {
                client.pass.as_ref().map(|pass| if pass.any_ip { Ipv4Addr::UNSPECIFIED } else { client.client_ip })
            })
            .collect();
        known.sort();
        known.dedup();
        let found = address.parse().is_ok_and(|address: Ipv4Addr| known.contains(&address));
        if found || self.mentioned.has(address) {
            return None;
        }
        let help = match reference::word(key, self.plan) {
            Ok(Some(Word::Address(address))) if known.contains(&address) => {
                format!("did you mean `chain.passes[{address}]`?")
            }
            _ => {
                let known: Vec<String> = known.iter().map(Ipv4Addr::to_string).collect();
                nearest(address, known.iter().map(String::as_str))
            }
        };
        Some((format!("no access pass is for `{key}`: a pass is named by its client_ip"), help))
    }

    /// `nyc1:tunnel-ids`, `user-tunnel-block:169.254.0.0`.
    fn stray_pool(self, key: &str) -> Option<(String, String)> {
        let parts: Vec<&str> = key.split(':').collect();
        let is_kind = |part: &str| POOLS.contains(&part);
        let owned = |owner: &str| {
            self.plan.devices.contains_key(owner)
                || self.plan.contributors.contains_key(owner)
                || self.mentioned.has(owner)
        };
        let fits = match parts.as_slice() {
            [kind] => is_kind(kind),
            [kind, base] if is_kind(kind) => base.parse::<Ipv4Addr>().is_ok(),
            [owner, kind] => owned(owner) && is_kind(kind),
            [owner, kind, base] => owned(owner) && is_kind(kind) && base.parse::<Ipv4Addr>().is_ok(),
            _ => false,
        };
        if fits {
            return None;
        }
        let similar_to = |part: &str| {
            let names = node_names(self.plan).chain(self.plan.contributors.keys().map(AsRef::as_ref));
            similar(part, POOLS.into_iter().chain(names))
        };
        let strays = parts.iter().filter(|part| !is_kind(part) && !owned(part) && part.parse::<Ipv4Addr>().is_err());
        let help = strays.map(|part| similar_to(part)).find(|help| !help.is_empty());
        let form = || "pools are named such as nyc1:tunnel-ids or user-tunnel-block:169.254.0.0".to_owned();
        Some((format!("the chain has no pool `{key}`"), help.unwrap_or_else(form)))
    }

    /// `nyc1:Loopback100`.
    fn stray_interface(self, key: &str) -> Option<(String, String)> {
        let form = || "interfaces are named such as nyc1:Loopback100".to_owned();
        let help = match key.split_once(':') {
            Some((device, name)) if self.plan.devices.contains_key(device) || self.mentioned.has(device) => {
                if is_interface(name) || self.mentioned.has(name) {
                    return None;
                }
                similar_own_interface(name)
            }
            Some((device, _)) => nearest(device, self.plan.devices.keys().map(AsRef::as_ref)),
            None => form(),
        };
        Some((format!("the chain has no interface `{key}`"), help))
    }
}

/// Kinds of pools, as their names begin or end.
const POOLS: [&str; 11] = [
    "double-zero-block",
    "contributor-block",
    "contributor-prefix",
    "device-prefix",
    "user-tunnel-block",
    "device-tunnel-block",
    "multicast-group-block",
    "multicast-publisher-block",
    "tunnel-ids",
    "endpoint-loopbacks",
    "vrf-ids",
];

/// `a.b[c.d].e` is a, b, c.d and e.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let bracketed = end == 0 && rest.starts_with('[');
        if !bracketed {
            words.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        while let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']')?;
            words.push(key.to_owned());
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => break,
            None => return None,
        }
    }
    words.iter().all(|word| !word.is_empty()).then_some(words)
}

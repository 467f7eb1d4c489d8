//! The scenario's exceptions to geography: its `paths`, and the faults put over them while it runs.
//!
//! The simulated internet routes by destination, so a rule is about packets from a node to a node, or to one address
//! of a node. Rules fold in their order, key by key; what is set for an address alone includes what holds for its node.

use anyhow::Context as _;
use dzsim_fabric::PathProfile;
use dzsim_scenario::plan::{Condition, PathEnd, PathEnds, Ref};
use ipnet::Ipv4Net;

use super::{
    error::StepError,
    internet::{
        profile,
        rule::{Place, Rule},
    },
    view::References,
    world::World,
};

/// Applies the scenario's own rules; their references must stand for something by now.
///
/// # Errors
/// A reference has no value, or a profile is out of range.
pub async fn apply(world: &World) -> Result<(), StepError> {
    let rules = resolve(world).await?;
    for rule in &rules {
        set_profile(world, &rule.from, &rule.to, &base(world, &rules, &rule.from, &rule.to)?)?;
    }
    Ok(())
}

/// A fault of the paths between two ends as rules: what its ends stand for is looked up now and stays.
///
/// # Errors
/// A reference has no value, or a profile is out of range.
pub async fn of_fault(world: &World, ends: &PathEnds, condition: &Condition) -> Result<Vec<Rule>, StepError> {
    let mut rules = Vec::new();
    for (from, to) in directions(&ends.from, &ends.to, ends.both_ways) {
        rules.push(Rule { from: place(world, from).await?.node, to: place(world, to).await?, condition: *condition });
    }
    Ok(rules)
}

/// Applies again what holds for the paths that `changed` is about: the scenario's own rules, and over them all faults.
///
/// # Errors
/// A reference has no value, or a profile is out of range.
pub async fn refresh(world: &World, changed: &[Rule], faults: &[Rule]) -> Result<(), StepError> {
    let mut rules = resolve(world).await?;
    rules.extend_from_slice(faults);
    for Rule { from, to, .. } in changed {
        let of_sender = rules.iter().filter(|rule| rule.from == *from).map(|rule| &rule.to);
        let within = of_sender.filter(|place| to.covers(place) && *place != to);
        for place in std::iter::once(to).chain(within) {
            set_profile(world, from, place, &base(world, &rules, from, place)?)?;
        }
    }
    Ok(())
}

fn directions<'a>(from: &'a PathEnd, to: &'a PathEnd, both: bool) -> Vec<(&'a PathEnd, &'a PathEnd)> {
    if both { vec![(from, to), (to, from)] } else { vec![(from, to)] }
}

async fn resolve(world: &World) -> Result<Vec<Rule>, StepError> {
    let mut rules = Vec::new();
    for rule in &world.plan.paths {
        for (from, to) in directions(&rule.from, &rule.to, rule.both_ways) {
            rules.push(Rule {
                from: place(world, from).await?.node,
                to: place(world, to).await?,
                condition: rule.condition,
            });
        }
    }
    Ok(rules)
}

/// How packets fare by geography and these rules.
fn base(world: &World, rules: &[Rule], from: &str, to: &Place) -> anyhow::Result<PathProfile> {
    rules
        .iter()
        .filter(|rule| rule.from == from && rule.to.covers(to))
        .try_fold(profile::between(&world.plan, from, &to.node)?, |base, rule| profile::under(&rule.condition, &base))
}

fn set_profile(world: &World, from: &str, to: &Place, profile: &PathProfile) -> anyhow::Result<()> {
    match to.address {
        None => world.internet().set_path(from, &to.node, profile.clone())?,
        Some(address) => world.internet().set_address_path(Some(from), address, profile.clone())?,
    }
    Ok(())
}

async fn place(world: &World, end: &PathEnd) -> Result<Place, StepError> {
    Ok(match end {
        PathEnd::Client(client) => Place { node: client.as_str().to_owned(), address: None },
        PathEnd::Device(device) => Place { node: device.as_str().to_owned(), address: None },
        PathEnd::Address(address) => {
            let node = owner(world, *address).with_context(|| format!("no node has the address {address}"))?;
            Place { node, address: Some(Ipv4Net::from(*address)) }
        }
        PathEnd::Ref(reference) => {
            let refs = References::of(world, [reference]).await?;
            match reference {
                Ref::Prefix { device, .. } => {
                    let text = refs.text(reference)?;
                    let net = text.parse().with_context(|| format!("{reference} is {text}, which is no network"))?;
                    Place { node: device.as_str().to_owned(), address: Some(net) }
                }
                Ref::Endpoint { device, .. } => {
                    let address = Ipv4Net::from(refs.address(reference)?);
                    Place { node: device.as_str().to_owned(), address: Some(address) }
                }
                Ref::DzIp { .. } | Ref::TunnelEndpoint { .. } | Ref::GroupIp(_) | Ref::Key(_) => {
                    let address = refs.address(reference)?;
                    let node = owner(world, address).with_context(|| format!("no node has {reference}, {address}"))?;
                    Place { node, address: Some(Ipv4Net::from(address)) }
                }
            }
        }
    })
}

/// The node that has an address on the internet.
fn owner(world: &World, address: std::net::Ipv4Addr) -> Option<String> {
    let devices = world.plan.devices.iter().map(|(code, device)| (code.as_str(), device.public_ip));
    let clients = world.plan.clients.keys().filter_map(|name| Some((name.as_str(), world.client_ip(name).ok()?)));
    let fixed = devices.chain(clients).find(|(_, ip)| *ip == address).map(|(name, _)| name.to_owned());
    fixed.or_else(|| {
        let view = world.view()?;
        let interface =
            view.interfaces().values().find(|interface| interface.address.is_some_and(|have| have.ip == address))?;
        Some(view.device(&interface.device)?.code.clone())
    })
}

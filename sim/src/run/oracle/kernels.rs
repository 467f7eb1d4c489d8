//! The nodes' kernels: exactly one tunnel for each user; on it and on the devices' endpoints the addresses that the chain says;
//! the routes; no rule that is left over.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_net::host::Host;
use dz_sdk::NetworkView;
use dzsim_scenario::plan::Node;

use super::{
    Mismatch, Pair, Settled,
    reach::Configs,
    right::{Look, Placed, Right},
    routes,
    turns::Turns,
};
use crate::run::world::World;

/// An address of the internet that no node has and no tunnel leads to (RFC 5737).
const NOBODYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The nodes that were right at the last look, and by what. One of which neither changes is not looked at again: a step
/// costs what it changes, not what there is.
#[derive(Debug, Default)]
pub(super) struct Seen {
    right: BTreeMap<Node, Right>,
    turns: Turns,
}

impl Seen {
    pub(super) async fn check(
        &mut self,
        world: &World,
        view: &NetworkView,
        configs: &Configs,
        settled: &Settled,
        found: &mut Vec<Mismatch>,
    ) -> anyhow::Result<()> {
        let devices = world.plan.devices.keys().cloned().map(Node::Device);
        let clients = world.plan.clients.keys().cloned().map(Node::Client);
        let mut nodes: Vec<_> = devices.chain(clients).enumerate().collect();
        nodes.rotate_left(self.turns.begin());
        for (number, node) in nodes {
            let right = match &node {
                Node::Device(code) => Right::of_device(world, view, configs.get(code.as_str()), code),
                Node::Client(name) => Right::of_client(world, view, settled, name).await?,
                Node::Operator => None,
            };
            let Some(right) = right else { continue };
            self.look(world, (number, node), right, found).await?;
        }
        Ok(())
    }

    async fn look(
        &mut self,
        world: &World,
        (number, node): (usize, Node),
        right: Right,
        found: &mut Vec<Mismatch>,
    ) -> anyhow::Result<()> {
        // Asked in any case and first: what changes during a look is seen by the next.
        let changes = world.changes(&node).await?;
        let look = right.look(self.right.remove(&node).as_ref(), changes.as_ref());
        if look == Look::None && !self.turns.is_late(number) {
            self.right.insert(node, right);
            return Ok(());
        }
        let before = found.len();
        let host = world.backend.host(&node)?;
        if look == Look::All {
            compare(host.as_ref(), &node, &right, found).await?;
        }
        uplink(host.as_ref(), &node, &right, found).await;
        if self.turns.take(number, right.routes()) {
            follow(host.as_ref(), &node, &right, found).await?;
        }
        if found.len() == before {
            self.right.insert(node, right);
        }
        Ok(())
    }
}

/// Compares all but the routes.
async fn compare(host: &dyn Host, node: &Node, right: &Right, found: &mut Vec<Mismatch>) -> anyhow::Result<()> {
    let Right { wanted, placed, .. } = right;
    let there = host.tunnels().await?.list().await?;
    let there = there.into_iter().map(|tunnel| (tunnel.spec.name, (tunnel.spec.local, tunnel.spec.remote)));
    let there: BTreeMap<String, Pair> = there.collect();
    let node = node.as_str();
    differences(node, wanted, there.clone(), found);
    let (links, addresses) = (host.links().await?, host.addrs().await?);
    let mut held: BTreeMap<String, BTreeSet<Ipv4Addr>> = BTreeMap::new();
    for addr in addresses {
        if let Some(link) = links.iter().find(|link| link.index == addr.index) {
            held.entry(link.name.clone()).or_default().insert(addr.address.addr());
        }
    }
    misplaced(node, placed, &there, &held, found);
    let names: BTreeSet<String> = links.into_iter().map(|link| link.name).collect();
    stale(node, host.rules().await?.into_iter().filter_map(|rule| rule.iif), &names, found);
    Ok(())
}

/// Compares the routes. Of a tunnel that is not there, only that is said.
async fn follow(host: &dyn Host, node: &Node, right: &Right, found: &mut Vec<Mismatch>) -> anyhow::Result<()> {
    if right.ways.is_empty() && right.tables.is_none() {
        return Ok(());
    }
    let tunnels = host.tunnels().await?.list().await?;
    let routes = host.routes().await?;
    for way in &right.ways {
        if let Some(tunnel) = tunnels.iter().find(|there| (there.spec.local, there.spec.remote) == way.tunnel) {
            let there = routes::leads_to(&routes, tunnel.ifindex);
            routes::astray(node.as_str(), way, &tunnel.spec.name, &there, found);
        }
    }
    if let Some(tables) = &right.tables {
        routes::differences(node.as_str(), tables, &routes::tables_of(&routes), found);
    }
    Ok(())
}

/// A node that is reached over the internet answers over it. What a fault has set down has no route until it is healed.
async fn uplink(host: &dyn Host, node: &Node, right: &Right, found: &mut Vec<Mismatch>) {
    if !right.down && host.source_towards(NOBODYS).await.is_err() {
        let node = node.as_str();
        found.push(Mismatch {
            invariant: "every node has a way to the internet",
            subject: node.to_owned(),
            views: ("network".to_owned(), format!("kernel of {node}")),
            first: "has an uplink".to_owned(),
            second: "no default route".to_owned(),
        });
    }
}

/// The addresses that are not where the chain says. Of a tunnel that is not there, only that is said.
pub(super) fn misplaced(
    node: &str,
    placed: &[Placed],
    tunnels: &BTreeMap<String, Pair>,
    held: &BTreeMap<String, BTreeSet<Ipv4Addr>>,
    found: &mut Vec<Mismatch>,
) {
    let on = |name: &String, address| held.get(name).is_some_and(|all| all.contains(address));
    for Placed { subject, address, tunnel } in placed {
        let (there, place) = match tunnel {
            None => (held.keys().any(|name| on(name, address)), "no interface has it"),
            Some(pair) => {
                let mut names = tunnels.iter().filter(|(_, there)| *there == pair).map(|(name, _)| name).peekable();
                (
                    names.peek().is_none() || names.any(|name| on(name, address)),
                    "the tunnel's interface does not have it",
                )
            }
        };
        if !there {
            found.push(Mismatch {
                invariant: "every address is where the chain says",
                subject: subject.clone(),
                views: ("chain".to_owned(), format!("kernel of {node}")),
                first: format!("has {address}"),
                second: place.to_owned(),
            });
        }
    }
}

/// The rules for interfaces that are not there: the next interface of that name would get the rule.
pub(super) fn stale(
    node: &str,
    ruled: impl IntoIterator<Item = String>,
    interfaces: &BTreeSet<String>,
    found: &mut Vec<Mismatch>,
) {
    for name in ruled.into_iter().filter(|name| !interfaces.contains(name)) {
        found.push(Mismatch {
            invariant: "no rule without its interface",
            subject: format!("interface {name} of {node}"),
            views: (format!("rules of {node}"), format!("interfaces of {node}")),
            first: "a rule is for what comes in by it".to_owned(),
            second: "it is not there".to_owned(),
        });
    }
}

/// The tunnels that are there and should not be, and those that should be and are not.
pub(super) fn differences(
    node: &str,
    wanted: &BTreeMap<Pair, String>,
    there: impl IntoIterator<Item = (String, Pair)>,
    found: &mut Vec<Mismatch>,
) {
    let mut seen = BTreeSet::new();
    let views = || ("chain".to_owned(), format!("kernel of {node}"));
    for (name, pair) in there {
        seen.insert(pair);
        if !wanted.contains_key(&pair) {
            found.push(Mismatch {
                invariant: "no tunnel without a user",
                subject: format!("tunnel {name} of {node} from {} to {}", pair.0, pair.1),
                views: views(),
                first: "no user that has a tunnel with these addresses".to_owned(),
                second: format!("interface {name} is there"),
            });
        }
    }
    for (pair, user) in wanted.iter().filter(|(pair, _)| !seen.contains(pair)) {
        found.push(Mismatch {
            invariant: "no activated user without a tunnel",
            subject: user.clone(),
            views: views(),
            first: "has a tunnel".to_owned(),
            second: format!("no tunnel from {} to {}", pair.0, pair.1),
        });
    }
}

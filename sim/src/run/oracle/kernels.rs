//! The nodes' kernels: exactly one tunnel for each user; on it and on the devices' endpoints
//! the addresses that the chain says.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_net::{host::Host, kernel::Change};
use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, User},
};
use dzsim_scenario::plan::{Node, Process};
use solana_signer::Signer;

use super::{Mismatch, Settled, audit};
use crate::run::{keys::Owner, world::World};

/// An address of the internet that no node has and no tunnel leads to (RFC 5737).
const NOBODYS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Outer (source, destination) as one end's kernel has them.
pub(super) type Pair = (Ipv4Addr, Ipv4Addr);

/// What a node's kernel has to have.
#[derive(Debug, PartialEq, Eq)]
struct Right {
    wanted: BTreeMap<Pair, String>,
    placed: Vec<Placed>,
    /// True while a fault holds an interface of it down.
    down: bool,
}

/// The nodes that were right at the last look, and by what. One of which neither changes is not looked at again: a step
/// costs what it changes, not what there is.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<Node, Right>);

impl Seen {
    pub(super) async fn check(
        &mut self,
        world: &World,
        view: &NetworkView,
        settled: &Settled,
        found: &mut Vec<Mismatch>,
    ) -> anyhow::Result<()> {
        for code in world.plan.devices.keys() {
            let Some((key, device)) = view.device_by_code(code.as_str()) else { continue };
            if !world.is_live(&Process::Agent(code.clone())) || !world.is_live(&Process::Controller) {
                continue;
            }
            let wanted: BTreeMap<Pair, String> = view
                .users_of_device(&key)
                .filter(|(_, user)| user.status.has_tunnel() && device.status == DeviceStatus::Activated)
                .map(|(_, user)| ((user.endpoint_ip, user.client_ip), audit::name(user)))
                .collect();
            let endpoints = view.interfaces_of_device(&key).filter_map(|(_, interface)| {
                let subject = format!("endpoint {} of {code}", interface.name);
                Some(Placed { subject, address: interface.endpoint()?, tunnel: None })
            });
            let near = view.users_of_device(&key).map(|(_, user)| user);
            let near = near.filter(|_| device.status == DeviceStatus::Activated).filter_map(|user| {
                let tunnel = Some((user.endpoint_ip, user.client_ip));
                Some(Placed { subject: audit::name(user), address: overlay(user, 0)?, tunnel })
            });
            let placed = endpoints.chain(near).collect();
            self.look(world, Node::Device(code.clone()), (wanted, placed), found).await?;
        }
        for name in world.plan.clients.keys() {
            let (client_ip, host_ip) = (world.client_ip(name)?, world.host_ip(name)?);
            let process = Process::Daemon(name.clone());
            if !world.is_live(&process) {
                continue;
            }
            let enabled = match settled.enabled.get(name) {
                Some(enabled) => *enabled,
                None => crate::run::view::daemon(world, name)?.status(None).await?.reconciler_enabled,
            };
            // What another payer has asked for at this address is not built here.
            let payer = world.keys.of(Owner::Client(name.as_str())).pubkey();
            let has = |user: &&User| enabled && user.status.has_tunnel() && user.owner == payer;
            let wanted: BTreeMap<Pair, String> = view
                .users_of_client(client_ip)
                .map(|(_, user)| user)
                .filter(has)
                .map(|user| ((host_ip, user.endpoint_ip), audit::name(user)))
                .collect();
            let far = view.users_of_client(client_ip).map(|(_, user)| user).filter(has).flat_map(|user| {
                let tunnel = (host_ip, user.endpoint_ip);
                let place = |address, tunnel| Placed { subject: audit::name(user), address, tunnel };
                let dz_ip = audit::granted(user).map(|granted| place(granted.dz_ip, None));
                overlay(user, 1).map(|address| place(address, Some(tunnel))).into_iter().chain(dz_ip)
            });
            let placed = far.collect();
            self.look(world, Node::Client(name.clone()), (wanted, placed), found).await?;
        }
        Ok(())
    }

    async fn look(
        &mut self,
        world: &World,
        node: Node,
        (wanted, placed): (BTreeMap<Pair, String>, Vec<Placed>),
        found: &mut Vec<Mismatch>,
    ) -> anyhow::Result<()> {
        let down = world.faults.broken().interfaces.keys().any(|down| down.device.as_str() == node.as_str());
        let right = Right { wanted, placed, down };
        // Asked in any case and first: what changes during a look is seen by the next.
        let changes = world.changes(&node).await?;
        let known = changes.filter(|_| self.0.get(&node) == Some(&right));
        if known.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(());
        }
        self.0.remove(&node);
        let before = found.len();
        let host = world.backend.host(&node)?;
        // A client that has come is a route of each other.
        if known != Some(BTreeSet::from([Change::Route])) {
            compare(host.as_ref(), &node, &right, found).await?;
        }
        uplink(host.as_ref(), &node, &right, found).await;
        if found.len() == before {
            self.0.insert(node, right);
        }
        Ok(())
    }
}

/// An address that a node has to have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Whose it is.
    pub(super) subject: String,
    pub(super) address: Ipv4Addr,
    /// The tunnel whose interface holds it; any interface of the node if none.
    pub(super) tunnel: Option<Pair>,
}

/// One end's address of a user's tunnel; none while the activator has a say.
fn overlay(user: &User, end: u32) -> Option<Ipv4Addr> {
    audit::granted(user)?.tunnel_net.address(end)
}

/// Compares all but the routes.
async fn compare(host: &dyn Host, node: &Node, right: &Right, found: &mut Vec<Mismatch>) -> anyhow::Result<()> {
    let Right { wanted, placed, down: _ } = right;
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

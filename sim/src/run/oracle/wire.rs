//! Captured traffic: GRE only between pairs that the chain knows, or knew since the last look. A part that cannot have
//! heard that a user is gone still has its tunnel, and may send through it until it has heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_sdk::NetworkView;
use dzsim_fabric::Mark;
use dzsim_scenario::plan::{ClientName, Plan, Process};

use super::{Mismatch, Pair};
use crate::run::world::World;

/// The outer pairs of users, from the client's side, each with the code of its device.
type Pairs = BTreeMap<Pair, String>;

/// What was there at the last look.
#[derive(Debug, Default)]
pub(super) struct Seen {
    mark: Option<Mark>,
    pairs: Pairs,
}

/// The pairs of all users. A tunnel that has just gone may still have had packets under way, so users in every status
/// count.
fn pairs(view: &NetworkView) -> Pairs {
    let device = |key| view.device(key).map(|device| device.code.clone()).unwrap_or_default();
    view.users().values().map(|user| ((user.client_ip, user.endpoint_ip), device(&user.device))).collect()
}

impl Seen {
    pub(super) fn check(&mut self, world: &World, view: &NetworkView, found: &mut Vec<Mismatch>) {
        let now = pairs(view);
        for pair in world.pairs_since_look() {
            self.pairs.entry(pair).or_default();
        }
        let known = self.pairs.keys().chain(now.keys()).copied().collect();
        let carried = world.internet().gre_pairs(self.mark.as_ref()).into_iter();
        let carried = carried
            .flat_map(|(node, seen)| seen.into_iter().map(move |gre| (node.clone(), (gre.source, gre.destination))));
        strangers(&known, carried, found);
        self.mark = Some(world.internet().mark());
        let client = |address: Ipv4Addr| {
            world.plan.clients.keys().find(|name| world.client_ip(name).is_ok_and(|now| now == address))
        };
        self.pairs
            .retain(|pair, device| !has_heard(&world.plan, client(pair.0), device, |process| world.is_live(process)));
        self.pairs.extend(now);
    }
}

/// Whether both ends of a pair can have heard what became of its user: the client that has its address now, if one has, and
/// the device.
pub(super) fn has_heard(
    plan: &Plan,
    client: Option<&ClientName>,
    device: &str,
    is_live: impl Fn(&Process) -> bool,
) -> bool {
    let daemon = client.map(|name| Process::Daemon(name.clone()));
    let agent = plan.devices.get_key_value(device).map(|(code, _)| Process::Agent(code.clone()));
    daemon.iter().chain(&agent).chain([&Process::Controller]).all(is_live)
}

/// Packets between addresses that are no tunnel's, in either direction.
pub(super) fn strangers(
    known: &BTreeSet<Pair>,
    carried: impl IntoIterator<Item = (String, Pair)>,
    found: &mut Vec<Mismatch>,
) {
    for (node, (source, destination)) in carried {
        if !known.contains(&(source, destination)) && !known.contains(&(destination, source)) {
            found.push(Mismatch {
                invariant: "the wire carries only tunnels that the chain knows",
                subject: format!("GRE from {source} to {destination}"),
                views: (format!("wire at {node}"), "chain".to_owned()),
                first: "packets seen".to_owned(),
                second: "no user with this pair of client_ip and endpoint_ip".to_owned(),
            });
        }
    }
}

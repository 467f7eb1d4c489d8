//! What the wire carried: GRE only between pairs that the chain knows, or knew since the last look.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dz_sdk::NetworkView;
use dzsim_fabric::Mark;

use super::Mismatch;
use crate::run::world::World;

type Pair = (Ipv4Addr, Ipv4Addr);

/// What was there at the last look.
#[derive(Debug, Default)]
pub(super) struct Seen {
    mark: Option<Mark>,
    pairs: BTreeSet<Pair>,
}

/// The outer pairs of all users, from the client's side. A tunnel that has just gone may still have had packets under
/// way, so users in every status count.
fn pairs(view: &NetworkView) -> BTreeSet<Pair> {
    view.users().values().map(|user| (user.client_ip, user.endpoint_ip)).collect()
}

impl Seen {
    pub(super) fn check(&mut self, world: &World, view: &NetworkView, found: &mut Vec<Mismatch>) {
        let now = pairs(view);
        let mut known = world.pairs_since_look();
        known.extend(self.pairs.iter().chain(&now));
        let carried = world.fabric.gre_pairs(self.mark.as_ref()).into_iter();
        let carried = carried
            .flat_map(|(node, seen)| seen.into_iter().map(move |gre| (node.clone(), (gre.source, gre.destination))));
        strangers(&known, carried, found);
        self.mark = Some(world.fabric.mark());
        self.pairs = now;
    }
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

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
        let passing = world.pairs_since_look();
        let known = |pair: &Pair| self.pairs.contains(pair) || now.contains(pair) || passing.contains(pair);
        for (node, seen) in world.fabric.gre_pairs(self.mark.as_ref()) {
            for gre in seen {
                let (there, back) = ((gre.source, gre.destination), (gre.destination, gre.source));
                if !known(&there) && !known(&back) {
                    found.push(Mismatch {
                        invariant: "the wire carries only tunnels that the chain knows",
                        subject: format!("GRE from {} to {}", gre.source, gre.destination),
                        views: (format!("wire at {node}"), "chain".to_owned()),
                        first: "packets seen".to_owned(),
                        second: "no user with this pair of client_ip and endpoint_ip".to_owned(),
                    });
                }
            }
        }
        self.mark = Some(world.fabric.mark());
        self.pairs = now;
    }
}

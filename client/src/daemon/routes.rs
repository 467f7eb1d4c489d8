//! The routes through the tunnels, as they should be and as the kernel has them; worked out when somebody asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::Ipv4Net;
use tokio::sync::watch;

use super::{
    changes::{Actual, Wanted},
    desired::DesiredTunnel,
};
use crate::api::{KernelState, Route, Session};

/// What the tunnels should be, and what of their routes the kernel does not have.
#[derive(Debug, Default)]
struct Compared {
    wanted: BTreeMap<String, Wanted>,
    absent: BTreeMap<String, BTreeSet<Ipv4Net>>,
}

/// The newest comparison; clones tell the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes(watch::Sender<Arc<Compared>>);

impl Routes {
    /// Publishes the wanted and the found. A tunnel that answers and has all it should have lacks no route, which spares a look at each.
    pub(super) fn tell(&self, wanted: BTreeMap<String, Wanted>, found: &Actual, settled: bool) {
        let incomplete = wanted.iter().filter(|(_, want)| !settled || want.session != Session::Up);
        let absent = incomplete.map(|(name, want)| {
            let held: BTreeSet<Ipv4Net> = match found.get(name) {
                Some(have) => have.routes.keys().map(|key| key.destination).collect(),
                None => BTreeSet::new(),
            };
            (name.clone(), networks(&want.tunnel).filter(|network| !held.contains(network)).collect())
        });
        let absent = absent.collect();
        self.0.send_replace(Arc::new(Compared { wanted, absent }));
    }

    /// One a destination, by tunnel and destination. A route to a peer is there while the tunnel answers.
    pub(super) fn list(&self) -> Vec<Route> {
        let compared = Arc::clone(&self.0.borrow());
        let routes = compared.wanted.iter().flat_map(|(name, Wanted { tunnel, .. })| {
            let absent = compared.absent.get(name);
            networks(tunnel).map(move |network| {
                let absent = absent.is_some_and(|absent| absent.contains(&network));
                Route {
                    tunnel_name: name.clone(),
                    network,
                    local_ip: tunnel.dz_ip,
                    peer_ip: tunnel.peer,
                    kernel_state: if absent { KernelState::Absent } else { KernelState::Present },
                }
            })
        });
        let mut routes: Vec<_> = routes.collect();
        routes.sort_unstable();
        routes.dedup();
        routes
    }
}

/// Where a tunnel leads: to its peers, its groups and, with edge filtering, to everybody else.
fn networks(tunnel: &DesiredTunnel) -> impl Iterator<Item = Ipv4Net> {
    let groups = tunnel.publish.keys().chain(tunnel.subscribe.keys());
    let everybody = tunnel.leaves_by_it().then(Ipv4Net::default);
    tunnel.peers.iter().chain(groups).map(|address| Ipv4Net::from(*address)).chain(everybody)
}

//! The routes through the tunnels, as they should be and as the kernel has them; worked out when somebody asks.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::Ipv4Net;
use tokio::sync::watch;

use super::changes::{Actual, Wanted};
use crate::api::{KernelState, Route};

/// What the tunnels were last found to be, beside what they should be.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) wanted: BTreeMap<String, Wanted>,
    pub(super) actual: Actual,
}

/// The newest comparison; clones tell the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes(watch::Sender<Arc<Compared>>);

impl Routes {
    /// Tells another one.
    pub(super) fn tell(&self, compared: Compared) {
        self.0.send_replace(Arc::new(compared));
    }

    /// One a destination, by tunnel and destination. A route to a peer is there while the tunnel answers.
    pub(super) fn list(&self) -> Vec<Route> {
        let Compared { wanted, actual } = &**self.0.borrow();
        let routes = wanted.iter().flat_map(|(name, want)| {
            let tunnel = &want.tunnel;
            let have = actual.get(name);
            let groups = tunnel.publish.keys().chain(tunnel.subscribe.keys());
            let everything = tunnel.leaves_by_it().then(Ipv4Net::default);
            let networks = tunnel.peers.iter().chain(groups).map(|address| Ipv4Net::from(*address)).chain(everything);
            networks.map(move |network| {
                let present = have.is_some_and(|have| have.routes.keys().any(|key| key.destination == network));
                Route {
                    tunnel_name: name.clone(),
                    network,
                    local_ip: tunnel.dz_ip,
                    peer_ip: tunnel.peer,
                    kernel_state: if present { KernelState::Present } else { KernelState::Absent },
                }
            })
        });
        let mut routes: Vec<_> = routes.collect();
        routes.sort_unstable();
        routes.dedup();
        routes
    }
}

//! The way to each unicast user, in the tenants' tables and in transit.
//!
//! A tenant's table is consulted for what comes out of a tunnel of the tenant and holds only the tenant's users; that is
//! where tenants are kept apart. What comes over a backbone link has passed such a table at the device where it entered
//! the network, so one transit table for all serves it.

use std::{collections::BTreeMap, net::Ipv4Addr};

use solana_pubkey::Pubkey;

use super::{Live, Network, RenderError, interfaces::Interfaces, topology::Cost};
use crate::config::{DEFAULT_VRF, NextHop, Table};

/// What is rendered here.
pub(super) struct Unicast {
    pub(super) tables: BTreeMap<u16, Table>,
    pub(super) transit: BTreeMap<Ipv4Addr, NextHop>,
}

/// Ways to one address, best first. A client with two unicast tunnels has its own address at both ends of both.
type Candidates = BTreeMap<Ipv4Addr, (Rank, NextHop)>;

/// Nearest first, then by the device's code and the tunnel's id: the same at each device.
type Rank = (Cost, String, u16);

impl Network<'_> {
    pub(super) fn unicast(&self, key: &Pubkey, interfaces: &Interfaces) -> Result<Unicast, RenderError> {
        let here = self.unicast_users(key);
        let mut vrfs = BTreeMap::new();
        for live in &here {
            vrfs.entry(self.vrf(live.key, live.user)?).or_insert(live.user.tenant);
        }
        let mut tables: BTreeMap<u16, Candidates> = vrfs.keys().map(|vrf| (*vrf, Candidates::new())).collect();
        let mut transit = Candidates::new();

        for live in &here {
            let next = NextHop::Tunnel(live.allocation.tunnel_id);
            self.offer(&mut tables, &mut transit, live, self.vrf(live.key, live.user)?, Cost::default(), next);
        }
        let tree = self.topology.tree(key);
        for (device, (cost, edge)) in self.topology.first_links(key, &tree) {
            let Some(port) = interfaces.link_ports.get(&edge.link) else { continue };
            let next = NextHop::Link { port: port.clone(), gateway: edge.gateway };
            for live in self.unicast_users(&device) {
                // What is wrong with a user of another device is that device's error, not this one's.
                let Ok(vrf) = self.vrf(live.key, live.user) else { continue };
                self.offer(&mut tables, &mut transit, live, vrf, cost, next.clone());
            }
        }

        let on_backbone = self.topology.edges(key).iter().any(|edge| edge.state.carries());
        Ok(Unicast {
            tables: tables
                .into_iter()
                .map(|(vrf, candidates)| {
                    let tenant = vrfs.get(&vrf).copied().flatten().filter(|_| vrf != DEFAULT_VRF);
                    let tenant = tenant.and_then(|key| self.view.tenant(&key)).map(|tenant| tenant.code.clone());
                    (vrf, Table { tenant, routes: best(candidates) })
                })
                .collect(),
            transit: if on_backbone { best(transit) } else { BTreeMap::new() },
        })
    }

    fn unicast_users(&self, device: &Pubkey) -> Vec<&Live<'_>> {
        let users = self.live.get(device).into_iter().flatten();
        users.filter(|live| !live.user.user_type.is_multicast()).collect()
    }

    /// Takes a way to a user's address into the tables it belongs in, where there is no better one.
    fn offer(
        &self,
        tables: &mut BTreeMap<u16, Candidates>,
        transit: &mut Candidates,
        live: &Live<'_>,
        vrf: u16,
        cost: Cost,
        next: NextHop,
    ) {
        let rank = (cost, self.code(&live.user.device).to_owned(), live.allocation.tunnel_id);
        for candidates in tables.get_mut(&vrf).into_iter().chain([transit]) {
            let known = candidates.get(&live.allocation.dz_ip);
            if known.is_none_or(|(known, _)| rank < *known) {
                candidates.insert(live.allocation.dz_ip, (rank.clone(), next.clone()));
            }
        }
    }
}

fn best(candidates: Candidates) -> BTreeMap<Ipv4Addr, NextHop> {
    candidates.into_iter().map(|(dz_ip, (_, next))| (dz_ip, next)).collect()
}

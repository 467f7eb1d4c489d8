//! The way to each unicast user, in the tenants' tables and in transit.
//!
//! A tenant's table is consulted for what comes out of a tunnel of the tenant and holds only the tenant's users; that is
//! where tenants are kept apart. What comes over a backbone link has passed such a table at the device where it entered
//! the network, so one transit table for all serves it.

use std::{collections::BTreeMap, net::Ipv4Addr};

use solana_pubkey::Pubkey;

use super::{Live, Network, RenderError, interfaces::Interfaces, topology::Place};
use crate::config::{DEFAULT_VRF, NextHop, Table};

/// What is rendered here.
pub(super) struct Unicast {
    pub(super) tables: BTreeMap<u16, Table>,
    pub(super) transit: BTreeMap<Ipv4Addr, NextHop>,
}

/// Ways to addresses, the better of two for the same address first: a client with two unicast tunnels has its own
/// address at the end of both.
type Ways = Vec<(Ipv4Addr, NextHop)>;

impl Network<'_> {
    pub(super) fn unicast(&self, key: &Pubkey, interfaces: &Interfaces) -> Result<Unicast, RenderError> {
        let mut tenants = BTreeMap::new();
        let mut tables: BTreeMap<u16, Ways> = BTreeMap::new();
        let mut transit = Ways::new();
        // Users here come first, then those of other devices, nearest first and by the devices' codes: the order is the
        // same at each device. Those of one device come by their tunnels' ids.
        for live in self.unicast_users(key) {
            let vrf = self.vrf(live.key, live.user)?;
            tenants.entry(vrf).or_insert(live.user.tenant);
            let way = (live.allocation.dz_ip, NextHop::Tunnel(live.allocation.tunnel_id));
            tables.entry(vrf).or_default().push(way.clone());
            transit.push(way);
        }
        let on_backbone = |place: &Place| self.topology.edges(*place).iter().any(|edge| edge.state.carries());
        if let Some(place) = self.topology.place(key).filter(on_backbone) {
            let elsewhere = self.live.keys().any(|device| device != key);
            let links = if elsewhere { self.topology.first_links(place, &self.tree(place)) } else { Vec::new() };
            for (device, edge) in links {
                let Some(port) = interfaces.link_ports.get(&edge.link) else { continue };
                let next = NextHop::Link { port: port.clone(), gateway: edge.gateway };
                for live in self.unicast_users(&device) {
                    // What is wrong with a user of another device is that device's error, not this one's.
                    let Ok(vrf) = self.vrf(live.key, live.user) else { continue };
                    if let Some(table) = tables.get_mut(&vrf) {
                        table.push((live.allocation.dz_ip, next.clone()));
                    }
                    transit.push((live.allocation.dz_ip, next.clone()));
                }
            }
        } else {
            transit.clear();
        }
        let tenant = |vrf: u16| {
            let key = tenants.get(&vrf).copied().flatten().filter(|_| vrf != DEFAULT_VRF);
            key.and_then(|key| self.view.tenant(&key)).map(|tenant| tenant.code.clone())
        };
        let table = |(vrf, ways)| (vrf, Table { tenant: tenant(vrf), routes: best(ways) });
        Ok(Unicast { tables: tables.into_iter().map(table).collect(), transit: best(transit) })
    }

    fn unicast_users(&self, device: &Pubkey) -> impl Iterator<Item = &Live<'_>> {
        self.live.get(device).into_iter().flatten().filter(|live| !live.user.user_type.is_multicast())
    }
}

/// The first way to each address.
fn best(mut ways: Ways) -> BTreeMap<Ipv4Addr, NextHop> {
    ways.sort_by_key(|(dz_ip, _)| *dz_ip);
    ways.dedup_by_key(|(dz_ip, _)| *dz_ip);
    ways.into_iter().collect()
}

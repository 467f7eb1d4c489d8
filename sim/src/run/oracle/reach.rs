//! The rendered tables: at each device a tenant's table has a route to each of the tenant's users that the backbone reaches and
//! to nobody else, and who follows a route from device to device comes to that user's tunnel.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::Ipv4Addr,
};

use dz_controller::config::{DeviceConfig, NextHop, Service};
use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, User},
};

use super::{Mismatch, audit};

/// The configs of a view's devices, by code.
pub(super) type Configs = BTreeMap<String, DeviceConfig>;

/// Users with a unicast tunnel, by dz_ip. A client with two tunnels of a tenant may have one dz_ip at the end of both.
type Users<'v> = BTreeMap<Ipv4Addr, &'v User>;

pub(super) fn check(view: &NetworkView, configs: &Configs, found: &mut Vec<Mismatch>) {
    let mut tables: BTreeMap<u16, BTreeMap<&str, Users<'_>>> = BTreeMap::new();
    for user in view.users().values().filter(|user| user.status.has_tunnel() && !user.user_type.is_multicast()) {
        let device = view.device(&user.device).filter(|device| device.status == DeviceStatus::Activated);
        if let (Some(device), Some(vrf), Some(held)) = (device, audit::vrf(view, user), &user.allocation) {
            let users = tables.entry(vrf).or_default().entry(&device.code).or_default();
            users.insert(held.dz_ip, user);
        }
    }
    let mut good = HashSet::new();
    for (code, config) in configs {
        let reached = reached(configs, code);
        let nobody = BTreeMap::new();
        let used = |vrf: &u16| tables.get(vrf).filter(|by_device| by_device.contains_key(code.as_str()));
        let numbers: BTreeSet<_> = config.tables.keys().chain(tables.keys()).copied().collect();
        for vrf in numbers {
            let by_device = used(&vrf).unwrap_or(&nobody).iter().filter(|(device, _)| reached.contains(**device));
            let users: Users<'_> =
                by_device.flat_map(|(_, users)| users).map(|(dz_ip, user)| (*dz_ip, *user)).collect();
            let routes = config.tables.get(&vrf).map(|table| &table.routes);
            let mut say = |dz_ip: &Ipv4Addr, first: &str, second: String| {
                found.push(Mismatch {
                    invariant: "a tenant's table leads to the tenant's users",
                    subject: users.get(dz_ip).map_or_else(|| dz_ip.to_string(), |user| audit::name(user)),
                    views: ("chain".to_owned(), format!("table {vrf} of {code}")),
                    first: first.to_owned(),
                    second,
                });
            };
            for dz_ip in users.keys() {
                match routes.and_then(|routes| routes.get(dz_ip)) {
                    None => say(dz_ip, "can be reached", format!("no route to {dz_ip}")),
                    Some(next) => {
                        if let Err(why) = follow(configs, code, *dz_ip, next, &mut good) {
                            say(dz_ip, "can be reached", format!("its route to {dz_ip} does not lead there: {why}"));
                        }
                    }
                }
            }
            for dz_ip in routes.into_iter().flat_map(BTreeMap::keys).filter(|dz_ip| !users.contains_key(dz_ip)) {
                say(dz_ip, "no such user that can be reached", format!("a route to {dz_ip}"));
            }
        }
    }
}

/// The devices that can be reached from one over links that carry traffic, itself among them.
fn reached<'c>(configs: &'c Configs, from: &'c str) -> BTreeSet<&'c str> {
    let (mut reached, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(config) = open.pop().and_then(|code| configs.get(code)) {
        let links = config.ports.values().filter_map(|port| port.link.as_ref()).filter(|link| link.state.carries());
        open.extend(links.map(|link| link.peer.as_str()).filter(|peer| reached.insert(peer)));
    }
    reached
}

/// Follows a packet to a user by the routes of one device after the other. `good` are the devices from whose transit tables
/// addresses are known to be reached.
fn follow<'c>(
    configs: &'c Configs,
    from: &'c str,
    dz_ip: Ipv4Addr,
    first: &'c NextHop,
    good: &mut HashSet<(&'c str, Ipv4Addr)>,
) -> Result<(), String> {
    let (mut at, mut next, mut passed) = (from, first, Vec::new());
    while passed.len() <= configs.len() {
        let config = configs.get(at).ok_or_else(|| format!("{at} has no configuration"))?;
        match next {
            NextHop::Tunnel(id) => {
                let service = config.tunnels.get(id).map(|tunnel| &tunnel.service);
                let Some(Service::Unicast { dz_ip: there, .. } | Service::EdgeFiltering { dz_ip: there, .. }) = service
                else {
                    return Err(format!("{at} has no unicast tunnel {id}"));
                };
                if *there != dz_ip {
                    return Err(format!("tunnel {id} of {at} is that of {there}"));
                }
                good.extend(passed);
                return Ok(());
            }
            NextHop::Link { port, .. } => {
                let link = config.ports.get(port).and_then(|port| port.link.as_ref());
                let link = link.filter(|link| link.state.carries());
                at = link
                    .map(|link| link.peer.as_str())
                    .ok_or_else(|| format!("{port} of {at} has no link that carries"))?;
                if good.contains(&(at, dz_ip)) {
                    good.extend(passed);
                    return Ok(());
                }
                passed.push((at, dz_ip));
                let transit = configs.get(at).and_then(|config| config.transit.get(&dz_ip));
                next = transit.ok_or_else(|| format!("{at} knows no way on"))?;
            }
        }
    }
    Err("it goes round in circles".to_owned())
}

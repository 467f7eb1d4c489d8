//! The rendered configs: for each device exactly the tunnels of its users, as the chain grants them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_controller::config::{Service, Tunnel};
use dz_sdk::{
    NetworkView,
    program::state::{Device, DeviceStatus, User},
};
use dzsim_scenario::plan::Process;
use solana_pubkey::Pubkey;

use super::{
    Mismatch, Pair, audit,
    reach::{self, Configs},
};
use crate::run::{controller, world::World};

/// Returns the configs, none while there is no controller to ask.
pub(super) async fn check(world: &World, view: &NetworkView, found: &mut Vec<Mismatch>) -> anyhow::Result<Configs> {
    let mut configs = Configs::new();
    if !world.is_live(&Process::Controller) {
        return Ok(configs);
    }
    // One that is drained still carries what comes over the backbone.
    let in_use = |device: &Device| matches!(device.status, DeviceStatus::Activated | DeviceStatus::Drained);
    for (key, device) in view.devices().iter().filter(|(_, device)| in_use(device)) {
        let config = controller::config(world, key).await?;
        configs.insert(device.code.clone(), config);
    }
    for (key, device) in view.devices().iter().filter(|(_, device)| device.status == DeviceStatus::Activated) {
        let Some(config) = configs.get(&device.code) else { continue };
        let rendered: BTreeMap<Pair, u16> =
            config.tunnels.iter().map(|(id, tunnel)| ((tunnel.source, tunnel.destination), *id)).collect();
        let wanted: BTreeMap<Pair, String> = view
            .users_of_device(key)
            .filter(|(_, user)| user.status.has_tunnel())
            .map(|(_, user)| ((user.endpoint_ip, user.client_ip), audit::name(user)))
            .collect();
        differences(&device.code, &wanted, &rendered, found);
        for (_, user) in view.users_of_device(key) {
            let pair = (user.endpoint_ip, user.client_ip);
            let tunnel = rendered.get(&pair).and_then(|id| Some((*id, config.tunnels.get(id)?)));
            if let (Some(granted), Some((id, tunnel))) = (granted(view, user), tunnel) {
                deviations(&device.code, &audit::name(user), &granted, &made(id, tunnel), found);
            }
        }
    }
    reach::check(view, &configs, found);
    Ok(configs)
}

/// What is said of one tunnel, by the name of the property.
pub(super) type Properties = BTreeMap<&'static str, String>;

/// What the chain grants a user; none while the activator has a say.
fn granted(view: &NetworkView, user: &User) -> Option<Properties> {
    let allocation = audit::granted(user)?;
    let mut all = Properties::from([
        ("tunnel id", allocation.tunnel_id.to_string()),
        ("overlay address", allocation.tunnel_net.address(0)?.to_string()),
    ]);
    if user.user_type.is_multicast() {
        let addresses = |groups: &[Pubkey]| -> BTreeSet<Ipv4Addr> {
            groups.iter().filter_map(|group| Some(view.group(group)?.address?.ip)).collect()
        };
        let source = if user.is_publisher() { allocation.dz_ip.to_string() } else { "none".to_owned() };
        all.extend([
            ("source of group traffic", source),
            ("groups it may send to", format!("{:?}", addresses(&user.publishers))),
            ("groups it gets", format!("{:?}", addresses(&user.subscribers))),
        ]);
    } else {
        all.extend([("vrf", audit::vrf(view, user)?.to_string()), ("dz_ip", allocation.dz_ip.to_string())]);
    }
    Some(all)
}

/// What a tunnel is rendered as.
fn made(id: u16, tunnel: &Tunnel) -> Properties {
    let mut all =
        Properties::from([("tunnel id", id.to_string()), ("overlay address", tunnel.overlay.addr().to_string())]);
    match &tunnel.service {
        Service::Unicast { vrf, dz_ip, .. } | Service::EdgeFiltering { vrf, dz_ip } => {
            all.extend([("vrf", vrf.to_string()), ("dz_ip", dz_ip.to_string())])
        }
        Service::Multicast { source, publish, subscribe } => all.extend([
            ("source of group traffic", source.map_or("none".to_owned(), |source| source.to_string())),
            ("groups it may send to", format!("{publish:?}")),
            ("groups it gets", format!("{subscribe:?}")),
        ]),
    }
    all
}

/// The properties in which a rendered tunnel is not what its user was granted.
pub(super) fn deviations(
    device: &str,
    user: &str,
    granted: &Properties,
    rendered: &Properties,
    found: &mut Vec<Mismatch>,
) {
    let names: BTreeSet<_> = granted.keys().chain(rendered.keys()).collect();
    for name in names {
        let says = |all: &Properties| format!("{name} {}", all.get(name).map_or("not said", String::as_str));
        let (first, second) = (says(granted), says(rendered));
        if first != second {
            found.push(Mismatch {
                invariant: "a tunnel is rendered as the chain grants it",
                subject: user.to_owned(),
                views: ("chain".to_owned(), format!("configuration of {device}")),
                first,
                second,
            });
        }
    }
}

/// The users without a rendered tunnel, and the rendered tunnels without a user.
pub(super) fn differences(
    device: &str,
    wanted: &BTreeMap<Pair, String>,
    rendered: &BTreeMap<Pair, u16>,
    found: &mut Vec<Mismatch>,
) {
    let pairs: BTreeSet<_> = rendered.keys().chain(wanted.keys()).copied().collect();
    for pair in pairs {
        let (user, tunnel) = (wanted.get(&pair), rendered.get(&pair));
        if user.is_some() != tunnel.is_some() {
            found.push(Mismatch {
                invariant: "a tunnel is rendered exactly for each user that has one",
                subject: user.cloned().unwrap_or_else(|| format!("tunnel from {} to {}", pair.0, pair.1)),
                views: ("chain".to_owned(), format!("configuration of {device}")),
                first: user.map_or("no such user".to_owned(), |_| "has a tunnel".to_owned()),
                second: tunnel.map_or("no tunnel".to_owned(), |id| format!("tunnel {id}")),
            });
        }
    }
}

//! What the controller renders: for each device the tunnels of its users, and nothing besides.

use std::collections::{BTreeMap, BTreeSet};

use dz_sdk::{NetworkView, program::state::DeviceStatus};
use dzsim_scenario::plan::Process;

use super::{Mismatch, chain, kernel::Pair};
use crate::run::{controller, steps::Context};

pub(super) async fn check(context: &Context, view: &NetworkView, found: &mut Vec<Mismatch>) -> anyhow::Result<()> {
    if !context.is_live(&Process::Controller) {
        return Ok(());
    }
    for (key, device) in view.devices().iter().filter(|(_, device)| device.status == DeviceStatus::Activated) {
        let config = controller::config(key).await?;
        let rendered: BTreeMap<Pair, u16> =
            config.tunnels.iter().map(|(id, tunnel)| ((tunnel.source, tunnel.destination), *id)).collect();
        let wanted: BTreeMap<Pair, String> = view
            .users_of_device(key)
            .filter(|(_, user)| user.status.has_tunnel())
            .map(|(_, user)| ((user.endpoint_ip, user.client_ip), chain::name(user)))
            .collect();
        differences(&device.code, &wanted, &rendered, found);
    }
    Ok(())
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

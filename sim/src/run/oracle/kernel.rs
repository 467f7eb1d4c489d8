//! What the nodes' kernels have: a tunnel for each user that has one, and none besides.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, User},
};
use dzsim_scenario::plan::Process;

use super::{Mismatch, chain};
use crate::run::{steps::Context, tunnels};

/// Outer (source, destination) as one end's kernel has them.
pub(super) type Pair = (Ipv4Addr, Ipv4Addr);

pub(super) async fn check(context: &Context, view: &NetworkView, found: &mut Vec<Mismatch>) -> anyhow::Result<()> {
    let world = &context.world;
    for code in world.plan.devices.keys() {
        let Some((key, device)) = view.device_by_code(code.as_str()) else { continue };
        if !context.is_live(&Process::Agent(code.clone())) || !context.is_live(&Process::Controller) {
            continue;
        }
        let wanted: BTreeMap<Pair, String> = view
            .users_of_device(&key)
            .filter(|(_, user)| user.status.has_tunnel() && device.status == DeviceStatus::Activated)
            .map(|(_, user)| ((user.endpoint_ip, user.client_ip), chain::name(user)))
            .collect();
        compare(context, code.as_str(), &wanted, found).await?;
    }
    for (name, client) in &world.plan.clients {
        let process = Process::Daemon(name.clone());
        if !context.is_live(&process) {
            continue;
        }
        let enabled = crate::run::view::daemon(world, name)?.status(None).await?.reconciler_enabled;
        let has = |user: &&User| enabled && user.status.has_tunnel();
        let wanted: BTreeMap<Pair, String> = view
            .users_of_client(client.client_ip)
            .map(|(_, user)| user)
            .filter(has)
            .map(|user| ((user.client_ip, user.endpoint_ip), chain::name(user)))
            .collect();
        compare(context, name.as_str(), &wanted, found).await?;
    }
    Ok(())
}

async fn compare(
    context: &Context,
    node: &str,
    wanted: &BTreeMap<Pair, String>,
    found: &mut Vec<Mismatch>,
) -> anyhow::Result<()> {
    let world = &context.world;
    let netns = world.lab.node(&dzsim_lab::NodeName::new(node)?)?.netns();
    let there = tunnels::list(&netns, world.roles.dataplane()).await?;
    let there = there.into_iter().map(|tunnel| (tunnel.spec.name, (tunnel.spec.local, tunnel.spec.remote)));
    differences(node, wanted, there, found);
    Ok(())
}

/// The tunnels that are there and should not be, and those that should be and are not.
pub(super) fn differences(
    node: &str,
    wanted: &BTreeMap<Pair, String>,
    there: impl IntoIterator<Item = (String, Pair)>,
    found: &mut Vec<Mismatch>,
) {
    let mut seen = BTreeSet::new();
    let views = || ("chain".to_owned(), format!("kernel of {node}"));
    for (name, pair) in there {
        seen.insert(pair);
        if !wanted.contains_key(&pair) {
            found.push(Mismatch {
                invariant: "no tunnel without a user",
                subject: format!("tunnel {name} of {node} from {} to {}", pair.0, pair.1),
                views: views(),
                first: "no user that has a tunnel with these addresses".to_owned(),
                second: format!("interface {name} is there"),
            });
        }
    }
    for (pair, user) in wanted.iter().filter(|(pair, _)| !seen.contains(pair)) {
        found.push(Mismatch {
            invariant: "no activated user without a tunnel",
            subject: user.clone(),
            views: views(),
            first: "has a tunnel".to_owned(),
            second: format!("no tunnel from {} to {}", pair.0, pair.1),
        });
    }
}

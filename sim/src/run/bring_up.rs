//! Bring-up of either world: chain and nodes first, then the processes, which find everything in place.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use dzsim_fabric::{CaptureConfig, Fabric, geo::Geography};
use dzsim_scenario::plan::{Plan, Policy};

use super::{
    announcements, artifacts,
    events::Events,
    genesis,
    internet::profile,
    keys::Keys,
    phases::Phases,
    roles::Roles,
    world::{World, backend::Backend, real},
};

/// Brings the network up.
///
/// # Errors
/// This machine or the plan does not allow it, or a role does not start.
pub async fn bring_up(
    plan: Plan,
    policy: Policy,
    seed: u64,
    roles: Roles,
    artifacts: &Path,
    capture: CaptureConfig,
    phases: &mut Phases,
) -> anyhow::Result<Arc<World>> {
    let events = Events::create(&artifacts.join(artifacts::EVENTS))?;
    let (keys, plan) = (Keys::new(seed), Arc::new(plan));
    let (backend, chain) =
        real::start(Arc::clone(&plan), policy.clone(), keys, roles, artifacts, capture, phases).await?;
    apply_geography(&plan, backend.internet())?;
    let world = Arc::new(World::new(plan, policy, chain, events, artifacts, Box::new(backend)));
    tokio::spawn(announcements::follow_chain(Arc::clone(&world)));
    genesis::write(&*world.chain, &world.plan, &world.policy, keys)
        .await
        .context("writing the network to the chain")?;
    phases.end("genesis");
    world.start_devices().await?;
    phases.end("processes");
    Ok(world)
}

/// Lets the distance between their metros decide the delay between nodes.
fn apply_geography(plan: &Plan, internet: &Fabric) -> anyhow::Result<()> {
    internet.set_geography(Some(Geography::INTERNET));
    let devices = plan.devices.iter().map(|(code, device)| (code.as_str(), &device.exchange));
    let clients = plan.clients.iter().map(|(name, client)| (name.as_str(), &client.exchange));
    for (node, exchange) in devices.chain(clients) {
        internet.set_position(node, profile::position(plan, exchange)?)?;
    }
    Ok(())
}

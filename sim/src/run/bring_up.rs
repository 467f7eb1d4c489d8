//! Bring-up of either world: chain and nodes first, then the processes, which find everything in place.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use dz_sdk::Ledger;
use dz_service::WallClock;
use dzsim_fabric::{CaptureConfig, Fabric, geo::Geography};
use dzsim_scenario::plan::{NatFilter, Plan, Policy};

use super::{
    events::Events,
    genesis,
    internet::profile,
    keys::Keys,
    phases::Phases,
    roles::Roles,
    route_announcements, transitions,
    world::{
        Kind, World,
        backend::{Backend, Parts},
        bug::Bug,
        real, r#virtual,
    },
};

/// What a network that comes up goes through, in this order.
pub const PHASES: [&str; 4] = ["ledger and nodes", "fabric", "genesis", "processes"];

/// When it is in the virtual world at the start of each run, since 1970: the first of January 2026.
const VIRTUAL_START: Duration = Duration::from_secs(1_767_225_600);

/// The wall clock of a world.
pub fn clock(kind: Kind) -> WallClock {
    match kind {
        Kind::Real => WallClock::system(),
        Kind::Virtual => WallClock::starting_at(VIRTUAL_START),
    }
}

/// How a network is brought up.
pub struct Start<'a> {
    /// In which world.
    pub kind: Kind,
    /// The seed of all randomness.
    pub seed: u64,
    /// How roles are started.
    pub roles: Roles,
    /// The wall clock of that world.
    pub clock: WallClock,
    /// The folder of the artifacts.
    pub artifacts: &'a Path,
    /// The event log.
    pub events: Events,
    /// What of the packets is recorded.
    pub capture: CaptureConfig,
    /// A bug to put in on purpose.
    pub bug: Option<Bug>,
}

/// Brings the network up.
///
/// # Errors
/// This machine or the plan does not allow it, or a role does not start.
pub async fn bring_up(plan: Plan, policy: Policy, start: Start<'_>, phases: &mut Phases) -> anyhow::Result<Arc<World>> {
    let Start { kind, seed, roles, clock, artifacts, events, capture, bug } = start;
    let (keys, plan) = (Keys::new(seed), Arc::new(plan));
    let parts = Parts {
        plan: Arc::clone(&plan),
        policy: policy.clone(),
        keys,
        roles,
        artifacts,
        events: events.clone(),
        capture,
        bug,
    };
    let (backend, chain): (Box<dyn Backend>, Arc<dyn Ledger>) = match kind {
        Kind::Real => {
            let (real, chain) = real::start(parts, phases).await?;
            (Box::new(real), chain)
        }
        Kind::Virtual => {
            let (world, chain) = r#virtual::start(parts, clock, phases)?;
            (Box::new(world), chain)
        }
    };
    apply_geography(&plan, backend.internet())?;
    put_behind_translators(&plan, backend.internet())?;
    let world = Arc::new(World::new(plan, policy, keys, chain, events, artifacts, backend));
    tokio::spawn(route_announcements::follow_chain(Arc::clone(&world)));
    tokio::spawn(transitions::follow_chain(Arc::clone(&world)));
    let up = async {
        let written = genesis::write(&*world.chain, &world.plan, &world.policy, keys).await;
        written.context("writing the network to the chain")?;
        phases.end("genesis");
        world.start_devices().await?;
        phases.end("processes");
        anyhow::Ok(())
    };
    tokio::select! {
        biased;
        why = world.backend.ledger().death() => anyhow::bail!("the ledger is dead: {why}"),
        up = up => up?,
    }
    Ok(world)
}

/// Puts clients behind their translators.
fn put_behind_translators(plan: &Plan, internet: &Fabric) -> anyhow::Result<()> {
    for (name, client) in &plan.clients {
        let Some(nat) = &client.nat else { continue };
        let filter = match nat.lets_in {
            NatFilter::FullCone => dzsim_fabric::NatFilter::FullCone,
            NatFilter::PortRestricted => dzsim_fabric::NatFilter::PortRestricted,
        };
        internet.put_behind(name.as_str(), nat.inside, client.client_ip, filter)?;
    }
    Ok(())
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

//! Waiting until every part has seen the chain's revision and has nothing left to do.

use std::time::Duration;

use dzsim_scenario::plan::Process;
use serde::Deserialize;

use crate::run::{
    controller,
    error::{StepError, eventually},
    http, view,
    world::World,
};

/// What an activator says of itself.
#[derive(Deserialize)]
struct ActivatorHealth {
    planned_slot: Option<u64>,
    /// True when the plan of that slot had nothing to send.
    idle: bool,
}

/// Waits until all parts that run and can see the chain are quiet at its latest slot.
///
/// # Errors
/// The part that has not settled at the deadline, and why.
pub async fn settle(world: &World, deadline: Duration) -> Result<(), StepError> {
    eventually(deadline, || quiet(world)).await
}

/// How long [`standing`] waits for those it asks.
const ANSWER: Duration = Duration::from_millis(500);

/// What is broken or has not settled right now, one line each.
pub async fn standing(world: &World) -> Vec<String> {
    let mut lines = world.faults.lines();
    match tokio::time::timeout(ANSWER, quiet(world)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => lines.push(error.message),
        Err(_) => lines.push("somebody who is asked whether everything has settled does not answer".to_owned()),
    }
    lines
}

async fn quiet(world: &World) -> Result<(), StepError> {
    let slot = world.latest_slot();
    let behind = |who: &str, why: String| Err(StepError::new(format!("{who} has not settled: {why}")));
    if world.view().is_none_or(|view| view.slot() < slot) {
        return behind("the runner's view", format!("it has not seen slot {slot}"));
    }
    for number in 1..=world.policy.activators {
        let process = Process::Activator(number);
        if world.is_live(&process) {
            let health: ActivatorHealth = http::get_json(world.backend.server(&process)?.as_ref(), "/healthz").await?;
            if health.planned_slot.is_none_or(|planned| planned < slot) || !health.idle {
                return behind(&process.to_string(), format!("planned slot {:?} of {slot}", health.planned_slot));
            }
        }
    }
    if world.is_live(&Process::Controller) {
        let answer = controller::devices(world).await?;
        if answer.slot < slot {
            return behind("controller", format!("it has seen slot {} of {slot}", answer.slot));
        }
        for device in answer.devices {
            let Some(code) = world.plan.devices.keys().find(|code| code.as_str() == device.code) else { continue };
            if !world.is_live(&Process::Agent(code.clone())) || device.rendered.is_none() {
                continue;
            }
            let report = device.report.unwrap_or_default();
            let hash = |revision: Option<dz_controller::serve::api::Revision>| revision.map(|revision| revision.hash);
            if hash(report.running) != hash(device.rendered) || !report.failures.is_empty() {
                let agent = format!("{code}.agent");
                return behind(&agent, format!("it does not run what is rendered; failures: {:?}", report.failures));
            }
        }
    }
    for name in world.plan.clients.keys() {
        let process = Process::Daemon(name.clone());
        if world.is_live(&process) && world.backend.was_started(&process) {
            let status = view::daemon(world, name)?.status(None).await.map_err(anyhow::Error::from)?;
            if status.slot.is_none_or(|seen| seen < slot) || !status.settled {
                return behind(&format!("{name}.daemon"), format!("it has acted on slot {:?} of {slot}", status.slot));
            }
            let address = world.client_ip(name)?;
            if status.client_ip != address {
                let why = format!("it acts for {}, and its host has {address}", status.client_ip);
                return behind(&format!("{name}.daemon"), why);
            }
        }
    }
    match world.latest_slot() {
        latest if latest == slot => Ok(()),
        latest => behind("the chain", format!("it has moved from slot {slot} to {latest}")),
    }
}

//! Waiting until every part has seen the chain's revision and has nothing left to do.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use dzsim_scenario::plan::{ClientName, Process};
use futures_util::{StreamExt, stream};
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

/// What the daemons have said when everything was quiet.
#[derive(Debug, Default)]
pub struct Settled {
    /// Whether they may hold tunnels, by client.
    pub(super) enabled: BTreeMap<ClientName, bool>,
}

/// Daemons that are asked at the same time: an answer takes longer than it costs.
const AT_ONCE: usize = 8;

/// Waits until all parts that run and can see the chain are quiet at its latest slot.
///
/// # Errors
/// The part that has not settled at the deadline, and why.
pub async fn settle(world: &World, deadline: Duration) -> Result<Settled, StepError> {
    let first = Cell::default();
    eventually(deadline, || quiet(world, &first)).await
}

/// How long [`standing`] waits for those it asks.
const ANSWER: Duration = Duration::from_millis(500);

/// What is broken or has not settled right now, one line each.
pub async fn standing(world: &World) -> Vec<String> {
    let mut lines = world.faults.lines();
    match tokio::time::timeout(ANSWER, quiet(world, &Cell::default())).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => lines.push(error.message),
        Err(_) => lines.push("somebody who is asked whether everything has settled does not answer".to_owned()),
    }
    lines
}

fn behind<T>(who: &str, why: impl AsRef<str>) -> Result<T, StepError> {
    Err(StepError::new(format!("{who} has not settled: {}", why.as_ref())))
}

/// Asks everybody, of the clients that of number `first` before the others, and sets it to the one that is not quiet: those
/// before it need not be asked again until it is.
async fn quiet(world: &World, first: &Cell<usize>) -> Result<Settled, StepError> {
    let slot = world.latest_slot();
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
    let mut clients: Vec<_> = world.plan.clients.keys().enumerate().collect();
    clients.rotate_left(first.get());
    let asked =
        clients.into_iter().map(|(number, name)| async move { (number, name, client(world, name, slot).await) });
    let mut answers = stream::iter(asked).buffered(AT_ONCE);
    let mut settled = Settled::default();
    while let Some((number, name, answer)) = answers.next().await {
        first.set(number);
        settled.enabled.extend(answer?.map(|enabled| (name.clone(), enabled)));
    }
    first.set(0);
    match world.latest_slot() {
        latest if latest == slot => Ok(settled),
        latest => behind("the chain", format!("it has moved from slot {slot} to {latest}")),
    }
}

/// Whether a client's daemon may hold tunnels, if it runs and is quiet at this slot.
async fn client(world: &World, name: &ClientName, slot: u64) -> Result<Option<bool>, StepError> {
    let process = Process::Daemon(name.clone());
    if !world.is_live(&process) || !world.backend.was_started(&process) {
        return Ok(None);
    }
    let status = view::daemon(world, name)?.status(None).await.map_err(anyhow::Error::from)?;
    if status.slot.is_none_or(|seen| seen < slot) || !status.settled {
        return behind(&format!("{name}.daemon"), format!("it has acted on slot {:?} of {slot}", status.slot));
    }
    let address = world.client_ip(name)?;
    if status.client_ip != address {
        let why = format!("it acts for {}, and its host has {address}", status.client_ip);
        return behind(&format!("{name}.daemon"), why);
    }
    Ok(Some(status.reconciler_enabled))
}

//! Waiting until every part has seen the chain's revision and has nothing left to do.

use std::{cell::Cell, collections::BTreeMap, net::Ipv4Addr, time::Duration};

use dz_client::api::{Service, Session, Status};
use dz_controller::serve::api::DeviceAnswer;
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
pub(super) struct ActivatorHealth {
    pub(super) planned_slot: Option<u64>,
    /// True when the plan of that slot had nothing to send.
    pub(super) idle: bool,
}

/// Why a part is not quiet at a slot.
type Unsettled = Result<(), String>;

/// Whether the newest slot that somebody knows is this one or a later one.
pub(super) fn has_seen(seen: Option<u64>, slot: u64) -> bool {
    seen.is_some_and(|seen| seen >= slot)
}

/// Of an activator.
pub(super) fn planned(health: &ActivatorHealth, slot: u64) -> Unsettled {
    match has_seen(health.planned_slot, slot) && health.idle {
        true => Ok(()),
        false => Err(format!("planned slot {:?} of {slot}", health.planned_slot)),
    }
}

/// Of a device's agent, by what the controller knows of the device.
pub(super) fn applied(device: &DeviceAnswer) -> Unsettled {
    let Some(rendered) = device.rendered else { return Ok(()) };
    let failures = device.report.as_ref().map_or(&[][..], |report| &report.failures);
    let running = device.report.as_ref().and_then(|report| report.running);
    match running.is_some_and(|running| running.hash == rendered.hash) && failures.is_empty() {
        true => Ok(()),
        false => Err(format!("it does not run what is rendered; failures: {failures:?}")),
    }
}

/// Of a client's daemon, whose host has this address.
pub(super) fn acted(status: &Status, address: Ipv4Addr, slot: u64) -> Unsettled {
    if !has_seen(status.slot, slot) || !status.settled {
        return Err(format!("it has acted on slot {:?} of {slot}", status.slot));
    }
    match status.client_ip == address {
        true => Ok(()),
        false => Err(format!("it acts for {}, and its host has {address}", status.client_ip)),
    }
}

/// Of the chain, which must not move while the others are asked.
pub(super) fn stood_still(slot: u64, latest: u64) -> Unsettled {
    match latest == slot {
        true => Ok(()),
        false => Err(format!("it has moved from slot {slot} to {latest}")),
    }
}

/// What the daemons have said when everything was quiet.
#[derive(Debug, Default)]
pub struct Settled(pub(super) BTreeMap<ClientName, Said>);

/// What a daemon says of its tunnels.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// Whether it may hold any.
    pub(super) enabled: bool,
    /// The session of each, by the endpoint it ends on.
    pub(super) sessions: BTreeMap<Ipv4Addr, Session>,
}

impl From<Status> for Said {
    fn from(status: Status) -> Self {
        let session = |service: Service| (service.tunnel_dst, service.doublezero_status.session_status);
        Self { enabled: status.reconciler_enabled, sessions: status.services.into_iter().map(session).collect() }
    }
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

/// Says whose reason it is.
fn of(who: &str, settled: Unsettled) -> Result<(), StepError> {
    settled.map_err(|why| StepError::new(format!("{who} has not settled: {why}")))
}

/// Asks everybody, of the clients that of number `first` before the others, and sets it to the one that is not quiet: those
/// before it need not be asked again until it is.
async fn quiet(world: &World, first: &Cell<usize>) -> Result<Settled, StepError> {
    let slot = world.latest_slot();
    let read = |seen| if has_seen(seen, slot) { Ok(()) } else { Err(format!("it has not seen slot {slot}")) };
    of("the runner's view", read(world.view().map(|view| view.slot())))?;
    for number in 1..=world.policy.activators {
        let process = Process::Activator(number);
        if world.is_live(&process) {
            let health = http::get_json(world.backend.server(&process)?.as_ref(), "/healthz").await?;
            of(&process.to_string(), planned(&health, slot))?;
        }
    }
    if world.is_live(&Process::Controller) {
        let answer = controller::devices(world).await?;
        of("controller", read(Some(answer.slot)))?;
        for device in answer.devices {
            let Some((code, _)) = world.plan.devices.get_key_value(device.code.as_str()) else { continue };
            let agent = Process::Agent(code.clone());
            if world.is_live(&agent) {
                of(&agent.to_string(), applied(&device))?;
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
        settled.0.extend(answer?.map(|said| (name.clone(), said)));
    }
    first.set(0);
    of("the chain", stood_still(slot, world.latest_slot()))?;
    Ok(settled)
}

/// What a client's daemon says of its tunnels, if it runs and is quiet at this slot.
async fn client(world: &World, name: &ClientName, slot: u64) -> Result<Option<Said>, StepError> {
    let process = Process::Daemon(name.clone());
    if !world.is_live(&process) || !world.backend.was_started(&process) {
        return Ok(None);
    }
    let status = view::daemon(world, name)?.status(None).await.map_err(anyhow::Error::from)?;
    of(&process.to_string(), acted(&status, world.client_ip(name)?, slot))?;
    Ok(Some(status.into()))
}

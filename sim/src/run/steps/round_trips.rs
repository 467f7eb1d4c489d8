//! Before a client chooses an endpoint: whether the round trips it has measured are those of the network, and not of a
//! machine that was late.
//!
//! The fabric knows what each path takes. A measurement that differs from that by so much that a choice may change is
//! void, and so is one without an answer that was taken before a device had its endpoint: the daemon measures once more. If
//! none becomes true, the machine is too slow.

use std::time::Duration;

use dz_client::api::EndpointLatency;
use dzsim_scenario::plan::{Arg, ClientName, Node, Process, Run};
use tokio::time::{Instant, timeout};

use super::{Context, StepError};
use crate::run::{lateness::Part, world::World};

/// Less than this is no difference, whatever the policy calls equal.
const LEAST: Duration = Duration::from_micros(500);

/// Waits until the client that a command connects has true round trips; at once for every other command. Takes half of
/// what the command has at the most.
pub(super) async fn wait(context: &Context, run: &Run, deadline: Duration) -> Result<(), StepError> {
    let world = &context.world;
    let (Node::Client(client), Some(Arg::Text(verb))) = (&run.on, run.argv.get(1)) else { return Ok(()) };
    let daemon = Process::Daemon(client.clone());
    if verb != "connect" || !world.is_live(&daemon) || !world.backend.was_started(&daemon) {
        return Ok(());
    }
    if !measurable(world, client)? {
        return Ok(());
    }
    let end = Instant::now() + deadline / 2;
    let mut again = false;
    loop {
        let asked = async {
            let daemon = world.backend.daemon(client)?;
            let latency = if again { daemon.thorough_latency().await } else { daemon.latency(None).await };
            latency.map_err(anyhow::Error::from)
        };
        let Ok(latency) = timeout(end.saturating_duration_since(Instant::now()), asked).await else { return Ok(()) };
        // Without an answer nothing is measured; what the command makes of that is the scenario's.
        let Ok(latency) = latency else { return Ok(()) };
        match worst(world, client, &latency.results) {
            Some((by, message)) if Instant::now() >= end => {
                world.backend.note_late(Part::RoundTrip(client.to_string()), by);
                return Err(StepError::new(message));
            }
            None if again || !is_silent(world, client, &latency.results)? => return Ok(()),
            Some(_) | None => again = true,
        }
    }
}

/// Whether there is a way to any endpoint: where there is none, no measurement can be wrong, nor come.
fn measurable(world: &World, client: &ClientName) -> Result<bool, StepError> {
    let address = world.client_ip(client)?;
    let Some(view) = world.view() else { return Ok(false) };
    let mut endpoints = view.devices().keys().flat_map(|device| view.endpoints(device));
    Ok(endpoints.any(|(endpoint, _)| world.internet().round_trip(client.as_str(), endpoint, address).is_some()))
}

/// Whether an endpoint to which there is a way has not answered. It is on chain before its device has it, so it may have
/// been asked too early: now that everything has settled it is asked once more.
fn is_silent(world: &World, client: &ClientName, results: &[EndpointLatency]) -> Result<bool, StepError> {
    let address = world.client_ip(client)?;
    let way = |result: &EndpointLatency| world.internet().round_trip(client.as_str(), result.device_ip, address);
    Ok(results.iter().any(|result| !result.reachable && way(result).is_some()))
}

/// The measurement that differs the most from what its path takes, of those that a choice may go by: what is far by both
/// is not chosen, however far it is.
fn worst(world: &World, client: &ClientName, results: &[EndpointLatency]) -> Option<(Duration, String)> {
    let address = world.client_ip(client).ok()?;
    let both = results.iter().filter_map(|result| {
        let measured = Duration::from_nanos(result.min_latency_ns?);
        let path = world.internet().round_trip(client.as_str(), result.device_ip, address)?;
        Some((result, measured, path))
    });
    let both: Vec<_> = both.collect();
    let nearest = both.iter().map(|(_, _, path)| *path).min()?;
    let policy = &world.policy.connect;
    let far = nearest + policy.latency_tie.0.max(policy.latency_tolerance.0);
    let limit = (policy.latency_tie.0 / 2).max(LEAST);
    let wrong = both.into_iter().filter(|(_, measured, path)| *measured.min(path) <= far);
    let wrong = wrong.map(|(result, measured, path)| (measured.abs_diff(path), result, measured, path));
    let (by, result, measured, path) =
        wrong.filter(|(by, ..)| *by > limit).max_by_key(|(by, result, ..)| (*by, result.device_ip))?;
    let EndpointLatency { device_ip, device_code, .. } = result;
    Some((by, format!("{client} measured {measured:?} to {device_ip} of {device_code}, the path takes {path:?}")))
}

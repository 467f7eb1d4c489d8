//! One case, from its plan to its summary, inside the lab.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use dzsim_fabric::CaptureConfig;
use dzsim_scenario::{
    Case,
    plan::{Action, Step},
};
use serde_json::json;
use tokio::sync::watch;

use crate::held_networks::Held;

use super::{
    artifacts,
    bring_up::{self, Start},
    error::StepError,
    events::Events,
    lateness::{self, Bears, TooSlow, watch::Moment},
    limits, logs,
    network::Network,
    oracle, path_rules,
    phases::Phases,
    protocol::{CaseSummary, Failure, Outcome, Progress, StepSummary},
    relevance,
    roles::Roles,
    steps::{Context, Snapshots},
    stop::{Stop, Then},
    view,
    world::{Kind, World, bug::Bug},
};

/// How a case is to be run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The scenario file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// The world it runs in.
    pub world: Kind,
    /// Data plane: where tunnels are created.
    pub dataplane: dz_net::gre::Dataplane,
    /// The folder for the artifacts, made and empty.
    pub artifacts: PathBuf,
    /// What of the packets is recorded.
    pub capture: CaptureConfig,
    /// Where snapshots are.
    pub snapshots: Snapshots,
    /// When the network is held, where that can be.
    pub hold: Option<Hold>,
    /// A bug to put in on purpose.
    pub bug: Option<Bug>,
    /// Where the run stops.
    pub stop: Option<Stop>,
    /// Gets each event as it happens.
    pub listener: Option<fn(&str)>,
    /// Becomes true when the case is to end in good order, or to stop holding its network.
    pub end: watch::Receiver<bool>,
}

/// When a network is held, until the end is asked for.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Instead of running the steps.
    pub instead: bool,
    /// After a failure.
    pub on_failure: bool,
    /// Pid 1 of the lab, as the world outside counts.
    pub init: nix::unistd::Pid,
    /// When that process was started, in clock ticks since boot.
    pub started: u64,
    /// The process outside that ends the network when it is asked to.
    pub holder: i32,
}

/// Runs the case and reports what happens; the last report is the summary's.
///
/// # Errors
/// What it leaves cannot be written.
pub async fn run(case: Case, setup: Setup, tell: &mut dyn FnMut(Progress)) -> anyhow::Result<CaseSummary> {
    let mut phases = Phases::default();
    let clock = bring_up::clock(setup.world);
    let log = setup.artifacts.join(artifacts::EVENTS);
    let events = Events::create(&log, &clock).with_context(|| artifacts::writing(&log))?;
    if let Some(listener) = setup.listener {
        events.listen(listener);
    }
    let steps = case.plan.steps.clone();
    let mut summary = CaseSummary {
        file: setup.file.clone(),
        case: case.name.clone(),
        outcome: Outcome::Passed,
        seed: setup.seed,
        started: humantime::format_rfc3339_nanos(events.zero()).to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        world: setup.world.to_string(),
        dataplane: setup.dataplane.to_string(),
        dataplane_used: None,
        millis: 0.0,
        phases: Default::default(),
        step_count: steps.len(),
        steps: Vec::new(),
        variables: case.variables.clone(),
        measures: Default::default(),
        failure: None,
        stderr: String::new(),
        artifacts: setup.artifacts.clone(),
    };
    events.record("scenario", "started", started(&summary)).with_context(|| artifacts::writing(&log))?;
    artifacts::write_json(&setup.artifacts.join(artifacts::NETWORK), &Network::of(&case.plan))?;
    let start = Start {
        kind: setup.world,
        seed: setup.seed,
        roles: Roles::new(setup.dataplane, &steps)?,
        clock,
        artifacts: &setup.artifacts,
        events: events.clone(),
        capture: setup.capture.clone(),
        bug: setup.bug,
    };
    let held_instead = setup.hold.as_ref().is_some_and(|hold| hold.instead);
    let mut end = setup.end.clone();
    let within = case.plan.timeouts.bring_up;
    let world = tokio::select! {
        biased;
        () = asked(&mut end), if !held_instead => None,
        world = tokio::time::timeout(within, bring_up::bring_up(case.plan, case.policy, start, &mut phases)) => {
            Some(world.unwrap_or_else(|_| {
                let left = bring_up::PHASES.into_iter().find(|phase| !phases.ended().contains_key(*phase));
                let left = left.unwrap_or("its last phase");
                Err(anyhow::anyhow!(
                    "it was not up after {within:?}, with {left} under way; `timeouts: {{ bring_up: ... }}` gives it longer"
                ))
            }))
        }
    };
    let ended = match world {
        Some(Ok(world)) => {
            summary.dataplane_used = world.dataplane_used().await?.map(|used| used.to_string());
            record(&world, "up", json!({"dataplane": summary.dataplane_used}));
            let context = Context::new(Arc::clone(&world), setup.snapshots.clone());
            let steps = if held_instead { &[] } else { steps.as_slice() };
            let mut began = world.backend.moment();
            let ended = tokio::select! {
                biased;
                () = asked(&mut end), if !held_instead => Ok(Err(Ended::Interrupted)),
                why = world.backend.ledger().death() => Err(format!("the ledger is dead: {why}")),
                ended = all_steps(&context, steps, setup.stop.clone(), &mut phases, &mut summary.steps, &mut began, tell) => {
                    let slow = if held_instead { None } else { too_slow(&world, began.as_ref(), ended.is_err()) };
                    Ok(match ended {
                        Ok(Ran::UntilStop) => Err(Ended::Stopped),
                        ended => judged(ended.map(drop), slow),
                    })
                }
            };
            let ended = ended.unwrap_or_else(|message| {
                // The step that was under way.
                let number = summary.steps.len() + 1;
                let before = || Place::before("the network does not come up");
                let place = steps.get(number - 1).map_or_else(before, |step| Place::of(number, step));
                Err(Ended::Steps(Outcome::Failed, Box::new(place.failure(message))))
            });
            if let Some(hold) = &setup.hold {
                let so_far = match &ended {
                    Err(Ended::Steps(outcome, failure)) if hold.on_failure => {
                        // The reason is shown before the network is.
                        let (outcome, failure) = concluded(*outcome, failure, &setup, &events)?;
                        Some(Some(CaseSummary { outcome, failure: Some(failure), ..summary.clone() }))
                    }
                    Err(Ended::Stopped) => Some(None),
                    _ => hold.instead.then_some(None),
                };
                if let Some(so_far) = so_far {
                    hold_until_asked(&world, &setup, hold, so_far, &mut end, tell).await?;
                }
            }
            summary.measures = context.measured();
            finish(&world, &setup.artifacts)?;
            ended
        }
        Some(Err(error)) => {
            let place = Place::before("the network does not come up");
            Err(Ended::Steps(Outcome::Failed, Box::new(place.failure(format!("{error:#}")))))
        }
        None => Err(Ended::Interrupted),
    };
    match ended {
        Ok(()) => {}
        Err(Ended::Steps(outcome, failure)) => {
            let (outcome, failure) = concluded(outcome, &failure, &setup, &events)?;
            (summary.outcome, summary.failure) = (outcome, Some(failure));
        }
        Err(ended @ (Ended::Interrupted | Ended::Stopped)) => {
            let number = summary.steps.len() + 1;
            let what = if matches!(ended, Ended::Stopped) { "stopped before" } else { "interrupted in" };
            let message = match steps.get(number - 1) {
                Some(step) => format!("{what} step {number}: {}", step.title),
                None => "interrupted".to_owned(),
            };
            summary.outcome = Outcome::NotRun;
            summary.failure = Some(Failure { message, ..Failure::default() });
        }
    }
    phases.end("teardown");
    summary.phases = phases.ended().clone();
    summary.millis = phases.real();
    artifacts::write_json(&setup.artifacts.join(artifacts::SUMMARY), &summary)?;
    Ok(summary)
}

/// Why the steps did not all hold.
enum Ended {
    /// One did not hold, or what was seen says nothing.
    Steps(Outcome, Box<Failure>),
    Interrupted,
    /// Where it was to stop.
    Stopped,
}

/// How far the steps were run.
enum Ran {
    All,
    UntilStop,
}

/// Returns when the end is asked for.
async fn asked(end: &mut watch::Receiver<bool>) {
    if end.wait_for(|asked| *asked).await.is_err() {
        // Nobody is left to ask.
        std::future::pending::<()>().await;
    }
}

/// What the first event says.
fn started(summary: &CaseSummary) -> serde_json::Value {
    let CaseSummary { case, file, seed, started, version, dataplane, .. } = summary;
    json!({"case": case, "file": file, "seed": seed, "wall": started, "version": version, "dataplane": dataplane})
}

/// A failure with its line of the file, and with the log lines that matter unless its difference says it all. Where the
/// machine ran into a limit, it is no failure of the scenario.
fn concluded(
    mut outcome: Outcome,
    failure: &Failure,
    setup: &Setup,
    events: &Events,
) -> anyhow::Result<(Outcome, Failure)> {
    let mut failure = failure.clone();
    if failure.line > 0 {
        failure.source = setup.text.lines().nth(failure.line - 1).unwrap_or_default().to_owned();
    }
    let lines = logs::read(&setup.artifacts.join(artifacts::LOGS), events.zero())?;
    if outcome == Outcome::Failed
        && let Some(limit) = limits::of(&failure.message).or_else(|| limits::logged(&lines))
    {
        outcome = Outcome::CannotRun;
        failure.message = format!("{limit}: {}", failure.message);
    }
    if failure.differences.is_empty() {
        (failure.logs, failure.logs_left_out) =
            relevance::choose(lines, &failure.about(), failure.began_ns, relevance::SHOWN);
    }
    Ok((outcome, failure))
}

/// Whether the machine was too slow for the steps to say anything: something was late by more than the scenario bears,
/// or a step did not hold and somebody had too little of a processor during it.
fn too_slow(world: &World, began: Option<&Moment>, failed: bool) -> Option<TooSlow> {
    let late = world.backend.take_late();
    let text: BTreeMap<String, f64> =
        late.iter().map(|(part, by)| (part.to_string(), by.as_secs_f64() * 1e3)).collect();
    record(world, "late at once, in ms", text);
    let starved = || {
        let (step, waited) = world.backend.waited_since(began?);
        lateness::starved(step, &waited)
    };
    Bears::of(&world.plan, &world.policy).exceeded(&late).or_else(|| if failed { starved() } else { None })
}

/// What the end of the steps amounts to, given how late the machine was.
fn judged(ended: Result<(), Box<Failure>>, slow: Option<TooSlow>) -> Result<(), Ended> {
    match (ended, slow) {
        (Ok(()), None) => Ok(()),
        (Err(failure), None) => Err(Ended::Steps(Outcome::Failed, failure)),
        (Ok(()), Some(slow)) => {
            let title = "the steps, all of which held".to_owned();
            let failure = Failure { title, message: slow.to_string(), ..Failure::default() };
            Err(Ended::Steps(Outcome::TooSlow, Box::new(failure)))
        }
        (Err(mut failure), Some(slow)) => {
            failure.message = format!("{slow}\nwhat was seen: {}", failure.message);
            Err(Ended::Steps(Outcome::TooSlow, failure))
        }
    }
}

async fn all_steps(
    context: &Context,
    steps: &[Step],
    mut stop: Option<Stop>,
    phases: &mut Phases,
    done: &mut Vec<StepSummary>,
    began: &mut Option<Moment>,
    tell: &mut dyn FnMut(Progress),
) -> Result<Ran, Box<Failure>> {
    let world = &context.world;
    let mut oracle = settle_clients(world).await?;
    phases.end("settling");
    let mut broken = world.faults.lines();
    // Bring-up waits for facts, however late they come. What is late after it was said to be over counts.
    world.backend.take_late();
    tell(Progress::Up { millis: phases.total(), steps: steps.len() });
    for (index, step) in steps.iter().enumerate() {
        let number = index + 1;
        if let Some(stop) = stop.as_mut().filter(|stop| number >= stop.before)
            // What is held is looked at from outside.
            && (!world.backend.shells().is_empty() || stop.look(world, number, step, tell).await == Then::End)
        {
            return Ok(Ran::UntilStop);
        }
        let (start, began_ns) = (phases.total(), world.events.now());
        *began = world.backend.moment();
        let since = |failure: Box<Failure>| Box::new(Failure { began_ns, ..*failure });
        tell(Progress::Step { number, title: step.title.clone() });
        let done_so_far = act(context, number, step).await;
        let now_broken = world.faults.lines();
        if now_broken != broken {
            record(world, "broken", json!({"faults": now_broken}));
            broken = now_broken;
        }
        done_so_far.map_err(since)?;
        let acted = phases.total();
        judge(world, &mut oracle, number, step).await.map_err(since)?;
        let summary = StepSummary {
            number,
            title: step.title.clone(),
            line: step.line,
            millis: acted - start,
            oracle_millis: phases.total() - acted,
        };
        record(world, "step done", &summary);
        tell(Progress::StepDone(summary.clone()));
        done.push(summary);
    }
    world.fault_hits.finish(world).map_err(|error| failure(Place::before("the faults at the end"), error))?;
    record(world, "faults", json!({"faults": world.fault_hits.summaries(world)}));
    phases.end("steps");
    Ok(Ran::All)
}

/// Starts the clients of a network whose devices are up, waits until everything has settled, and checks it once.
///
/// # Errors
/// Something does not start or settle, or an invariant does not hold.
pub async fn settle_clients(world: &World) -> Result<oracle::Oracle, Box<Failure>> {
    let mut oracle = oracle::Oracle::default();
    let bring_up = world.plan.timeouts.bring_up;
    let up = async {
        // Clients come when the devices are as the chain says and the scenario's paths hold, so that the first that
        // they measure is already true.
        oracle::settle(world, bring_up).await?;
        path_rules::apply(world).await?;
        world.start_clients().await?;
        oracle::settle(world, bring_up).await
    };
    let settled = up.await.map_err(|error| failure(Place::before("the network does not come up"), error))?;
    let seen = oracle.check(world, Some(settled), world.plan.timeouts.settle).await;
    seen.map_err(|seen| oracle_failure(Place::before("the network as it came up"), seen))?;
    Ok(oracle)
}

/// Does what a step says.
///
/// # Errors
/// The step does not hold.
pub async fn act(context: &Context, number: usize, step: &Step) -> Result<(), Box<Failure>> {
    let world = &context.world;
    world.internet().annotate(&format!("step {number}: {}", step.title));
    record(world, "step", json!({"number": number, "line": step.line, "title": step.title}));
    match context.run(step, tokio::time::Instant::now() + step.deadline).await {
        Ok(()) => Ok(()),
        Err(error) => {
            let error = in_context(error, &oracle::standing(world).await);
            Err(failure(Place::of(number, step), error))
        }
    }
}

/// Waits until everything has settled after a step, and lets the oracle look.
///
/// # Errors
/// Something does not settle, or an invariant does not hold.
pub async fn judge(world: &World, oracle: &mut oracle::Oracle, number: usize, step: &Step) -> Result<(), Box<Failure>> {
    let settle = world.plan.timeouts.settle;
    let settled = match may_change(&step.action) {
        true => Some(oracle::settle(world, settle).await.map_err(|error| failure(Place::of(number, step), error))?),
        false => None,
    };
    let seen = oracle.check(world, settled, settle).await;
    seen.map_err(|seen| oracle_failure(Place::of(number, step), seen))
}

/// Holds the network until the end is asked for.
async fn hold_until_asked(
    world: &World,
    setup: &Setup,
    hold: &Hold,
    so_far: Option<CaseSummary>,
    end: &mut watch::Receiver<bool>,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<()> {
    let nodes = world.backend.shells();
    let Hold { init, started, holder, .. } = *hold;
    Held::note(&setup.artifacts, &setup.snapshots.case, holder, init, started, nodes.clone())?;
    tell(Progress::Held { nodes, summary: so_far.map(Box::new) });
    asked(end).await;
    Ok(Held::forget(&setup.artifacts)?)
}

/// The error with what was broken or not settled at that time: what may have kept the step from its fact.
fn in_context(error: StepError, standing: &[String]) -> StepError {
    if standing.is_empty() {
        return error;
    }
    StepError { message: format!("{}; at that time: {}", error.message, standing.join("; ")), ..error }
}

/// A look changes nothing, so nothing has to settle after it.
fn may_change(action: &Action) -> bool {
    !matches!(action, Action::Expect { .. } | Action::Traffic(_) | Action::Snapshot { .. } | Action::Measure { .. })
}

fn record(world: &World, event: &str, fields: impl serde::Serialize) {
    // The log is flushed at the end, and a log that cannot be written fails the case there.
    let _ = world.events.record("scenario", event, fields);
}

/// Where something did not hold.
struct Place<'a> {
    step: Option<usize>,
    title: &'a str,
    line: usize,
}

impl<'a> Place<'a> {
    /// Before the first step.
    fn before(title: &'a str) -> Self {
        Self { step: None, title, line: 0 }
    }

    /// In a step, which has this number.
    fn of(number: usize, step: &'a Step) -> Self {
        Self { step: Some(number), title: &step.title, line: step.line }
    }

    fn failure(self, message: String) -> Failure {
        let Self { step, title, line } = self;
        Failure { step, title: title.to_owned(), line, message, ..Failure::default() }
    }
}

fn failure(place: Place<'_>, error: StepError) -> Box<Failure> {
    let StepError { message, expected, actual, differences } = error;
    Box::new(Failure { expected, actual, differences, ..place.failure(message) })
}

fn oracle_failure(place: Place<'_>, seen: Vec<oracle::Mismatch>) -> Box<Failure> {
    let oracle = seen.iter().map(ToString::to_string).collect();
    Box::new(Failure { oracle, ..place.failure("an invariant does not hold".to_owned()) })
}

/// Writes what is only known at the end.
///
/// # Errors
/// It cannot be written.
pub fn finish(world: &World, artifacts: &Path) -> anyhow::Result<()> {
    if let Some(chain) = world.view() {
        artifacts::write_json(&artifacts.join(artifacts::CHAIN), &view::accounts::all(&chain))?;
    }
    world.internet().stop()?;
    let finished = world.events.finish(&artifacts.join(artifacts::LOGS));
    finished.with_context(|| artifacts::writing(&artifacts.join(artifacts::EVENTS)))
}

//! One case, from its plan to its summary, inside the lab.

use std::{path::Path, sync::Arc};

use dzsim_fabric::CaptureConfig;
use dzsim_scenario::{
    Case,
    plan::{Action, Step},
};

use crate::held_networks::Held;

use super::{
    artifacts,
    bring_up::{Start, bring_up},
    error::StepError,
    oracle, path_rules,
    phases::Phases,
    protocol::{CaseSummary, Failure, Outcome, Progress, StepSummary},
    roles::Roles,
    steps::{Context, Snapshots},
    view,
    world::{Kind, World},
};

/// The last lines of a log that a failure shows.
const LOG_LINES: usize = 12;

/// How a case is to be run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The scenario file.
    pub file: std::path::PathBuf,
    /// The seed of all randomness.
    pub seed: u64,
    /// The world it runs in.
    pub world: Kind,
    /// Where tunnels are made.
    pub dataplane: dz_net::gre::Dataplane,
    /// The folder for the artifacts, made and empty.
    pub artifacts: std::path::PathBuf,
    /// What of the packets is recorded.
    pub capture: CaptureConfig,
    /// Where snapshots are.
    pub snapshots: Snapshots,
    /// When the network is held for somebody to look at, where that can be.
    pub hold: Option<Hold>,
}

/// When a network is held, until a line or the end of standard input.
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

/// Runs the case and tells what happens; the last that is told is the summary.
pub async fn run(case: Case, setup: Setup, tell: &mut dyn FnMut(Progress)) -> anyhow::Result<CaseSummary> {
    let mut phases = Phases::default();
    let steps = case.plan.steps.clone();
    let mut summary = CaseSummary {
        file: setup.file.clone(),
        case: case.name.clone(),
        outcome: Outcome::Passed,
        seed: setup.seed,
        world: setup.world.to_string(),
        dataplane: setup.dataplane.to_string(),
        millis: 0.0,
        phases: Default::default(),
        steps: Vec::new(),
        variables: case.variables.clone(),
        measures: Default::default(),
        failure: None,
        artifacts: setup.artifacts.clone(),
    };
    let start = Start {
        kind: setup.world,
        seed: setup.seed,
        roles: Roles::new(setup.dataplane, &steps)?,
        artifacts: &setup.artifacts,
        capture: setup.capture.clone(),
    };
    let world = bring_up(case.plan, case.policy, start, &mut phases).await;
    let ended = match world {
        Ok(world) => {
            let context = Context::new(Arc::clone(&world), setup.snapshots.clone());
            let held_instead = setup.hold.as_ref().is_some_and(|hold| hold.instead);
            let steps = if held_instead { &[] } else { steps.as_slice() };
            let ended = all_steps(&context, steps, &mut phases, &mut summary.steps, tell).await;
            if let Some(when) = &setup.hold
                && (when.instead || (when.on_failure && ended.is_err()))
            {
                hold(&world, &setup.artifacts, when, &case.name, tell).await?;
            }
            summary.measures = context.measured();
            finish(&world, &setup.artifacts)?;
            ended
        }
        Err(error) => Err(Box::new(Failure {
            title: "the network does not come up".to_owned(),
            message: format!("{error:#}"),
            ..Failure::default()
        })),
    };
    if let Err(mut failure) = ended {
        failure.logs = artifacts::last_lines(&setup.artifacts, LOG_LINES)?;
        summary.outcome = Outcome::Failed;
        summary.failure = Some(*failure);
    }
    phases.end("teardown");
    summary.phases = phases.ended().clone();
    summary.millis = phases.real();
    let file = std::fs::File::create(setup.artifacts.join(artifacts::SUMMARY))?;
    serde_json::to_writer_pretty(file, &summary)?;
    Ok(summary)
}

async fn all_steps(
    context: &Context,
    steps: &[Step],
    phases: &mut Phases,
    done: &mut Vec<StepSummary>,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), Box<Failure>> {
    let world = &context.world;
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
    up.await.map_err(|error| failure(None, "the network does not come up", 0, error))?;
    let settle = world.plan.timeouts.settle;
    let seen = oracle.check(world, settle).await;
    seen.map_err(|seen| oracle_failure(None, "the network as it came up", 0, seen))?;
    phases.end("settling");
    tell(Progress::Up { millis: phases.total() });
    for (index, step) in steps.iter().enumerate() {
        let number = index + 1;
        let start = phases.total();
        tell(Progress::Step { number, title: step.title.clone() });
        world.internet().annotate(&format!("step {number}: {}", step.title));
        record(world, "step", serde_json::json!({"number": number, "line": step.line, "title": step.title}));
        let result = tokio::time::timeout(step.deadline, context.run(step))
            .await
            .unwrap_or_else(|_| Err(StepError::new(format!("it was not done within {:?}", step.deadline))));
        result.map_err(|error| failure(Some(number), &step.title, step.line, error))?;
        let acted = phases.total();
        if may_change(&step.action) {
            oracle::settle(world, settle)
                .await
                .map_err(|error| failure(Some(number), &step.title, step.line, error))?;
        }
        let seen = oracle.check(world, settle).await;
        seen.map_err(|seen| oracle_failure(Some(number), &step.title, step.line, seen))?;
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
    phases.end("steps");
    Ok(())
}

/// Holds the network until standard input has a line or ends.
async fn hold(
    world: &World,
    artifacts: &Path,
    when: &Hold,
    case: &str,
    tell: &mut dyn FnMut(Progress),
) -> anyhow::Result<()> {
    let nodes = world.backend.shells();
    let Hold { init, started, holder, .. } = *when;
    Held::note(artifacts, case, holder, init, started, nodes.clone())?;
    tell(Progress::Held { nodes });
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(Held::forget(artifacts)?)
}

/// A look changes nothing, so nothing has to settle after it.
fn may_change(action: &Action) -> bool {
    !matches!(action, Action::Expect { .. } | Action::Traffic(_) | Action::Snapshot { .. } | Action::Measure { .. })
}

fn record(world: &World, event: &str, fields: impl serde::Serialize) {
    // The log is flushed at the end, and a log that cannot be written fails the case there.
    let _ = world.events.record("scenario", event, fields);
}

fn failure(step: Option<usize>, title: &str, line: usize, error: StepError) -> Box<Failure> {
    Box::new(Failure {
        step,
        title: title.to_owned(),
        line,
        message: error.message,
        expected: error.expected,
        actual: error.actual,
        ..Failure::default()
    })
}

fn oracle_failure(step: Option<usize>, title: &str, line: usize, seen: Vec<oracle::Mismatch>) -> Box<Failure> {
    Box::new(Failure {
        step,
        title: title.to_owned(),
        line,
        message: "an invariant does not hold".to_owned(),
        oracle: seen.iter().map(ToString::to_string).collect(),
        ..Failure::default()
    })
}

/// Writes what is only known at the end.
fn finish(world: &World, artifacts: &Path) -> anyhow::Result<()> {
    if let Some(chain) = world.view() {
        let file = std::fs::File::create(artifacts.join(artifacts::CHAIN))?;
        serde_json::to_writer_pretty(file, &view::accounts::all(&chain))?;
    }
    world.internet().stop()?;
    world.events.finish(&artifacts.join(artifacts::LOGS))?;
    Ok(())
}

//! The steps of a scenario, one kind a file.

mod command;
mod epoch;
mod expect;
mod fault;
mod forge;
mod measure;
mod membership;
mod ping;
mod round_trips;
mod send;
mod snapshot;
mod target;
mod traffic;
mod until_refused;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use dzsim_fabric::Mark;
use dzsim_scenario::plan::{Action, Step};
use futures_util::future::{LocalBoxFuture, join_all, try_join_all};
use tokio::time::Instant;

use super::{
    error::StepError,
    measure::{Measure, Unit},
    world::{World, backend::Output},
};

pub use membership::Memberships;

/// How much later than at its deadline a step is ended from outside.
const GRACE: Duration = Duration::from_secs(2);

/// What steps share beside the world.
pub struct Context {
    /// The network.
    pub world: Arc<World>,
    /// Groups that applications have joined.
    pub memberships: Memberships,
    /// Whether snapshots are compared or written, and where.
    pub snapshots: Snapshots,
    last: Mutex<Last>,
    measures: Mutex<BTreeMap<String, Measure>>,
    start: Mark,
}

/// What the last action left for the steps after it.
struct Last {
    /// When it began.
    action: Mark,
    /// What the last command said.
    output: Option<Output>,
}

/// Where snapshots are and what they are called.
#[derive(Clone, Debug)]
pub struct Snapshots {
    /// The folder they are compared with; none to record only.
    pub folder: Option<std::path::PathBuf>,
    /// The scenario file, as its user named it.
    pub file: std::path::PathBuf,
    /// The case: folder and first part of each name.
    pub case: String,
    /// True to write what differs instead of failing.
    pub update: bool,
}

impl Context {
    /// At the start of the steps.
    pub fn new(world: Arc<World>, snapshots: Snapshots) -> Self {
        let start = world.internet().mark();
        let last = Mutex::new(Last { action: start.clone(), output: None });
        Self { memberships: Memberships::default(), snapshots, last, measures: Mutex::default(), start, world }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last command said.
    pub fn last_output(&self) -> Option<Output> {
        self.last().output.clone()
    }

    /// Records a value under a name; samples of one name are kept together.
    fn record(&self, name: &str, found: Measure) {
        let mut measures = self.measures.lock().unwrap_or_else(PoisonError::into_inner);
        match measures.get_mut(name) {
            Some(known) => known.merge(&found),
            None => drop(measures.insert(name.to_owned(), found)),
        }
    }

    /// What has been recorded.
    pub fn measured(&self) -> BTreeMap<String, Measure> {
        self.measures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a step to its end, its deadline or that of what it is a part of, whichever comes first.
    ///
    /// What waits innermost knows best what for, so it ends first and says so; only what cannot is ended from here.
    pub fn run<'a>(&'a self, step: &'a Step, end: Instant) -> LocalBoxFuture<'a, Result<(), StepError>> {
        Box::pin(async move {
            let end = end.min(Instant::now() + step.deadline);
            match tokio::time::timeout_at(end + GRACE, self.act(step, end)).await {
                Ok(ended) => ended,
                Err(_) => Err(StepError::new(format!("it was still going on after {:?}", step.deadline + GRACE))),
            }
        })
    }

    fn act<'a>(&'a self, step: &'a Step, end: Instant) -> LocalBoxFuture<'a, Result<(), StepError>> {
        Box::pin(async move {
            if !matches!(
                step.action,
                Action::Expect { .. } | Action::Traffic(_) | Action::Snapshot { .. } | Action::Measure { .. }
            ) {
                self.last().action = self.world.internet().mark();
            }
            let deadline = end.saturating_duration_since(Instant::now());
            match &step.action {
                Action::Run(run) => {
                    let start = tokio::time::Instant::now();
                    command::run(self, run, deadline).await?;
                    if !step.record.is_empty() {
                        let took = start.elapsed().as_secs_f64() * 1e3;
                        self.record(&step.record, Measure::number(Unit::Milliseconds, took));
                    }
                    Ok(())
                }
                Action::Expect { expectations, stays } => expect::run(self, expectations, *stays, deadline).await,
                Action::Ping(ping) => ping::run(self, ping, &step.record, end).await,
                Action::Send(send) => send::run(self, send, end).await,
                Action::Join { client, group } => membership::join(self, client, group).await,
                Action::Leave { client, group } => membership::leave(self, client, group),
                Action::Traffic(traffic) => traffic::run(self, traffic, deadline).await,
                Action::Fault(fault) => fault::inflict(self, fault, step, end).await,
                Action::Heal(healing) => fault::heal(self, healing, step.hits).await,
                Action::Epoch(epoch) => epoch::run(self, *epoch).await,
                Action::Snapshot { views, name } => snapshot::run(self, views, name).await,
                Action::Measure { measures } => measure::run(self, measures).await,
                Action::UntilRefused { measure, steps } => until_refused::run(self, measure, steps, end).await,
                Action::Parallel { branches, succeed: None } => {
                    let branches = branches.iter().map(|branch| self.sequence(branch, end));
                    try_join_all(branches).await.map(drop)
                }
                Action::Parallel { branches, succeed: Some(wanted) } => {
                    let ended = join_all(branches.iter().map(|branch| self.sequence(branch, end))).await;
                    let failed: Vec<String> =
                        ended.iter().filter_map(|ended| Some(ended.as_ref().err()?.message.clone())).collect();
                    let succeeded = ended.len() - failed.len();
                    if wanted.holds(&(succeeded as u64)) {
                        return Ok(());
                    }
                    Err(StepError {
                        message: format!("{succeeded} of {} succeeded", ended.len()),
                        expected: Some(format!("{wanted} that succeed")),
                        actual: Some(if failed.is_empty() { "none failed".to_owned() } else { failed.join("\n") }),
                        ..StepError::default()
                    })
                }
            }
        })
    }

    /// Runs steps one after another.
    async fn sequence(&self, steps: &[Step], end: Instant) -> Result<(), StepError> {
        for step in steps {
            self.run(step, end).await.map_err(|error| StepError {
                message: format!("line {}: {}: {}", step.line, step.title, error.message),
                ..error
            })?;
        }
        Ok(())
    }
}

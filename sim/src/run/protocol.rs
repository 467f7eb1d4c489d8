//! What the process of one scenario tells `dzsim run`, as one JSON object a line on its standard output, and the
//! summary that both write to `summary.json`.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::measure::Measure;

/// A message from a scenario's process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Progress {
    /// The network is up and the steps begin.
    Up {
        /// Since the process started.
        millis: f64,
    },
    /// A step begins.
    Step {
        /// Which, from 1.
        number: usize,
        /// What it does.
        title: String,
    },
    /// A step held, and so did the invariants after it.
    StepDone(StepSummary),
    /// The network is held: somebody may look at it with `dzsim exec`.
    Held {
        /// Its nodes.
        nodes: Vec<String>,
    },
    /// The last message.
    Finished(Box<CaseSummary>),
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase")]
pub enum Outcome {
    /// Every step held.
    Passed,
    /// A step or an invariant did not hold, or the network did not come up.
    Failed,
    /// This machine cannot run it.
    CannotRun,
}

/// A step that has been run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSummary {
    /// Which, from 1.
    pub number: usize,
    /// What it does.
    pub title: String,
    /// Line in the scenario file.
    pub line: usize,
    /// Milliseconds for the step itself.
    pub millis: f64,
    /// Milliseconds until everything had settled and the oracle had looked.
    pub oracle_millis: f64,
}

/// One case, whole: the content of `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseSummary {
    /// The scenario file.
    pub file: PathBuf,
    /// The case in it.
    pub case: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The seed of all its randomness.
    pub seed: u64,
    /// The world it ran in: `real` or `virtual`.
    pub world: String,
    /// Where tunnels were to be made: `auto`, `kernel` or `userspace`.
    pub dataplane: String,
    /// Milliseconds of real time from the start of the process to its end.
    pub millis: f64,
    /// What those were spent on.
    pub phases: BTreeMap<String, f64>,
    /// The steps that were run.
    pub steps: Vec<StepSummary>,
    /// The values of its variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What `measure` steps and `record` keys found.
    #[serde(default)]
    pub measures: BTreeMap<String, Measure>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The folder with everything else.
    pub artifacts: PathBuf,
}

/// Why a case failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The step, from 1; none when the network did not come up.
    pub step: Option<usize>,
    /// What the step does.
    pub title: String,
    /// Line in the scenario file.
    pub line: usize,
    /// What happened instead.
    pub message: String,
    /// What was expected, if there is a value to compare.
    pub expected: Option<String>,
    /// What was there.
    pub actual: Option<String>,
    /// What the oracle saw, one line a mismatch.
    pub oracle: Vec<String>,
    /// The last lines of the logs that matter, by log name.
    pub logs: BTreeMap<String, Vec<String>>,
}

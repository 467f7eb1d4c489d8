//! The messages from the process of one scenario to `dzsim run`: one JSON object a line on its standard output, and the
//! summary that both write to `summary.json`.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::shell_word::quoted;

use super::{diff::Difference, logs::LogLine, measure::Measure, relevance::LeftOut};

/// A message from a scenario's process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Progress {
    /// The network is up and the steps begin.
    Up {
        /// Since the process started.
        millis: f64,
        /// How many steps there are.
        steps: usize,
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
    /// The network is held: `dzsim exec` runs commands in it.
    Held {
        /// Its nodes.
        nodes: Vec<String>,
        /// The summary so far with the failure after which it is held; none if it is held instead of running the steps.
        summary: Option<Box<CaseSummary>>,
    },
    /// The run has stopped before a step, in virtual time, and waits for a word on standard input.
    Asks {
        /// The step, from 1.
        before: usize,
        /// What it does.
        title: String,
        /// The node that commands run at.
        node: String,
    },
    /// What came of a word.
    Answer {
        /// As people read it.
        text: String,
    },
    /// Something has happened, and the run waits for a line on standard input.
    Event {
        /// The event, as in the event log.
        line: String,
    },
    /// The last message.
    Finished(Box<CaseSummary>),
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every step held.
    Passed,
    /// A step or an invariant did not hold, or the network did not come up.
    Failed,
    /// This machine was too slow, so what was seen says nothing about the network.
    TooSlow,
    /// This machine cannot run it: it is neither passed nor failed.
    CannotRun,
    /// The run was interrupted before its end.
    NotRun,
}

impl Outcome {
    /// The outcome in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TooSlow => "too slow to say",
            Self::CannotRun => "cannot run",
            Self::NotRun => "not run",
        }
    }
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
    /// When it began, by the wall clock (RFC 3339): the zero of all times.
    pub started: String,
    /// The version of dzsim.
    pub version: String,
    /// The world it ran in: `real` or `virtual`.
    pub world: String,
    /// Where tunnels were to be made: `auto`, `kernel` or `userspace`.
    pub dataplane: String,
    /// Where they were made: `kernel` or `userspace`; none if the network did not come up.
    pub dataplane_used: Option<String>,
    /// Milliseconds of real time from the start of the process to its end.
    pub millis: f64,
    /// What those were spent on.
    pub phases: BTreeMap<String, f64>,
    /// How many steps the scenario has.
    pub step_count: usize,
    /// The steps that held.
    pub steps: Vec<StepSummary>,
    /// The values of its variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What `measure` steps and `record` keys found.
    #[serde(default)]
    pub measures: BTreeMap<String, Measure>,
    /// Why it did not pass.
    pub failure: Option<Failure>,
    /// What its process wrote to standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// The folder with everything else.
    pub artifacts: PathBuf,
}

impl CaseSummary {
    /// The command that runs just this case again, as it was run.
    pub fn again(&self) -> String {
        let (file, case) = (quoted(&self.file.to_string_lossy()), quoted(&self.case));
        let Self { seed, world, dataplane, .. } = self;
        format!("dzsim run {file} --filter {case} --seed {seed} --world {world} --dataplane {dataplane}")
    }
}

/// Why a case did not pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The step, from 1; none when the network did not come up.
    pub step: Option<usize>,
    /// What the step does.
    pub title: String,
    /// Line in the scenario file; 0 if it is about no line.
    pub line: usize,
    /// That line.
    pub source: String,
    /// What happened instead.
    pub message: String,
    /// What was expected, if there is a value to compare.
    pub expected: Option<String>,
    /// What was there.
    pub actual: Option<String>,
    /// Line differences, by what was compared.
    pub differences: Vec<Difference>,
    /// What the oracle saw, one line a mismatch.
    pub oracle: Vec<String>,
    /// When the step began, on the run's clock.
    #[serde(default)]
    pub began_ns: u64,
    /// The lines of the logs that matter, in the order of time.
    pub logs: Vec<LogLine>,
    /// What of the logs is not among them.
    #[serde(default)]
    pub logs_left_out: LeftOut,
}

impl Failure {
    /// All that it names, in words: what the lines of a log that matter are chosen by.
    pub fn about(&self) -> String {
        [&self.title, &self.message, &self.oracle.join(" ")].map(String::as_str).join(" ")
    }
}

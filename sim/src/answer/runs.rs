//! Many runs for one answer: this program runs the cases, and their summaries come back as rows.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use dzsim_scenario::Change;

use super::table::{Row, Table};
use crate::{
    exit::Exit,
    interrupt::Programs,
    run::protocol::{CaseSummary, Outcome},
    scenario_files, this_program,
};

/// What is run, by which program.
#[derive(Clone, Debug)]
pub struct Runs {
    /// The program: this one, or another build of it.
    pub dzsim: PathBuf,
    /// Options of `dzsim run`, such as `--world virtual`.
    pub options: Vec<String>,
    /// What is under way, which ends when this process is to end.
    pub programs: Programs,
}

impl Runs {
    /// By this program.
    ///
    /// # Errors
    /// If its own file cannot be found, or signals cannot be watched.
    pub fn new(options: Vec<String>) -> anyhow::Result<Self> {
        let dzsim = this_program::path().context("finding the dzsim program")?;
        Ok(Self { dzsim, options, programs: Programs::watched()? })
    }

    /// Runs the files once and returns every summary, in the order of the files and of the cases in each. `artifacts` gets what
    /// the runs leave, and `each` is called when a case has ended.
    ///
    /// # Errors
    /// If the program cannot be started. Where it refuses the files or the machine, its own words go to standard error, and
    /// its exit code is the inner error; so is that of a signal.
    pub fn run(
        &self,
        files: &[PathBuf],
        changes: &[Change],
        seed: Option<u64>,
        artifacts: &Path,
        each: impl Fn(),
    ) -> anyhow::Result<Result<Vec<CaseSummary>, Exit>> {
        let mut command = Command::new(&self.dzsim);
        let changed = changes.iter().flat_map(|change| ["--set".to_owned(), change.to_string()]);
        command.arg("run").args(files).args(changed).args(&self.options).args([
            "--format",
            "json",
            "--record-snapshots",
        ]);
        command.arg("--artifacts").arg(artifacts);
        if let Some(seed) = seed {
            command.args(["--seed", &seed.to_string()]);
        }
        let mut summaries = Vec::new();
        let read = |line: String| {
            if let Some(summary) = summary(&line)? {
                if summary.outcome != Outcome::NotRun {
                    each();
                }
                summaries.push(summary);
            }
            Ok(())
        };
        let ended = self.programs.start(&mut command).and_then(|run| run.finish(read));
        if let Some(exit) = self.programs.ended_by() {
            return Ok(Err(exit));
        }
        let (status, errors) = ended?;
        if summaries.is_empty() {
            crate::exit::complain(errors);
            let exits = [Exit::Failed, Exit::BadInput, Exit::CannotRun];
            let known = exits.into_iter().find(|exit| status.code() == Some(*exit as i32));
            return Ok(Err(known.unwrap_or(Exit::Failed)));
        }
        // One case each: the files say the order, and need not be read for it.
        let place = |summary: &CaseSummary| files.iter().position(|file| *file == summary.file);
        if summaries.iter().map(place).collect::<BTreeSet<_>>().len() == files.len() && summaries.len() == files.len() {
            summaries.sort_by_key(place);
        } else {
            let order = order(files, changes);
            summaries.sort_by_key(|summary| order.iter().position(|case| *case == summary.case));
        }
        Ok(Ok(summaries))
    }
}

/// The names of the cases as the files have them. Another build may name them differently, or know files that this one does not:
/// what is not found here comes first.
fn order(paths: &[PathBuf], changes: &[Change]) -> Vec<String> {
    let cases = scenario_files::find(paths).and_then(|files| scenario_files::load(&files, changes));
    cases.map(|cases| cases.into_iter().map(|(_, case)| case.name).collect()).unwrap_or_default()
}

/// The summary in a line of `dzsim run --format json`, if it is one.
fn summary(line: &str) -> anyhow::Result<Option<CaseSummary>> {
    let value: serde_json::Value = serde_json::from_str(line).context("reading the run's report")?;
    if value["event"] != "finished" {
        return Ok(None);
    }
    Ok(Some(serde_json::from_value(value).context("reading a case's summary")?))
}

/// A row of one run.
pub fn row(summary: &CaseSummary) -> Row {
    Row {
        case: summary.case.clone(),
        variables: summary.variables.clone(),
        seeds: vec![summary.seed],
        passed: usize::from(summary.outcome == Outcome::Passed),
        measures: summary.measures.clone(),
    }
}

/// The rows of many runs; runs of one case with several seeds are one row.
pub fn table(summaries: &[CaseSummary]) -> Table {
    let mut table = Table::default();
    summaries.iter().for_each(|summary| table.add(row(summary)));
    table
}

//! `dzsim explore`: random histories under the oracle.

use anyhow::Context;

use super::progress::Progress;
use crate::{
    answer::{
        explore::{
            history::{self, NETWORK},
            session::Session,
        },
        runs::Runs,
    },
    cli::ExploreArgs,
    exit::{Error, Exit, answer},
    scenario_files::{self, FileError, Words},
};

/// Explores and prints what was found; a failure is a scenario file.
pub(super) fn run(args: &ExploreArgs) -> Result<Exit, Error> {
    let text = match &args.file {
        Some(file) => scenario_files::read(file).with_context(|| file.display().to_string())?,
        None => format!("{NETWORK}steps: []\n"),
    };
    let head = history::head(&text).map_err(Error::input)?.to_owned();
    let name = args.file.clone().unwrap_or_else(|| "explore/network.yaml".into());
    let cases = dzsim_scenario::parse(&name, &format!("{head}steps: []\n"), &Words::default());
    let cases = cases.map_err(|wrong| FileError::Wrong(vec![wrong]))?;
    let [case] = cases.as_slice() else {
        let text = format!("{} has {} cases: expected a file without `matrix`", name.display(), cases.len());
        return Err(Error::input(text));
    };
    let mut options = vec!["--world".to_owned(), args.world.to_string()];
    options.extend(args.bug.iter().flat_map(|bug| ["--bug".to_owned(), bug.to_string()]));
    let session = Session {
        runs: Runs::new(options)?,
        names: history::names(case),
        head,
        weights: args.weights,
        length: args.length,
        seed: args.seed,
        histories: args.histories,
        time: args.time.map(Into::into),
    };
    let mut progress = Progress::new("histories passed", args.time.is_none().then_some(args.histories));
    let found = session.explore(|done| progress.show(done))?;
    drop(progress);
    let found = match found {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let (length, ended_by) = (args.length, session.runs.programs.ended_by());
    let Some(failure) = found.failure else {
        let until = if ended_by.is_some() { " until interrupted" } else { "" };
        answer(format!("{} histories of {length} steps: no failure{until}", found.histories))?;
        return Ok(ended_by.unwrap_or(Exit::Passed));
    };
    let file = failure.save(&args.out)?;
    answer(format!("history {} of {length} steps fails: {}", found.histories, failure.words))?;
    answer(format!(
        "{}: dzsim run {} --world {}",
        failure.text.lines().filter(|line| line.starts_with("  - ")).count(),
        file.display(),
        args.world
    ))?;
    Ok(ended_by.unwrap_or(Exit::Failed))
}

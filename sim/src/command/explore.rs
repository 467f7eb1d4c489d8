//! `dzsim explore`: random histories under the oracle.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use anyhow::Context;

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
    let live = std::io::stderr().is_terminal();
    let start = Instant::now();
    let mut progress = Progress::default();
    let found = session.explore(|done| {
        let line = match live {
            true => Some(format!("\r{done} histories passed")),
            false => progress.line(done, args.histories, start.elapsed()),
        };
        // Nobody has to see it.
        let _ = line.map(|line| write!(std::io::stderr(), "{line}"));
    })?;
    let found = match found {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let length = args.length;
    let Some(failure) = found.failure else {
        answer(format!("{} histories of {length} steps: no failure", found.histories))?;
        return Ok(Exit::Passed);
    };
    let file = failure.save(&args.out)?;
    answer(format!("history {} of {length} steps fails: {}", found.histories, failure.words))?;
    answer(format!(
        "{}: dzsim run {} --world {}",
        failure.text.lines().filter(|line| line.starts_with("  - ")).count(),
        file.display(),
        args.world
    ))?;
    Ok(Exit::Failed)
}

/// What of the progress a log has: a line each 10 s or each tenth of the histories, whichever is first.
#[derive(Debug, Default)]
struct Progress {
    tenths: u64,
    at: Duration,
}

impl Progress {
    fn line(&mut self, done: u64, of: u64, at: Duration) -> Option<String> {
        let tenths = done.saturating_mul(10) / of.max(1);
        if tenths == self.tenths && at < self.at + Duration::from_secs(10) {
            return None;
        }
        *self = Self { tenths, at };
        Some(format!("{done} histories passed in {} s\n", at.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_each_tenth_and_each_ten_seconds() {
        let mut progress = Progress::default();
        let mut line = |done, seconds| progress.line(done, 1_000, Duration::from_secs(seconds));
        assert_eq!(line(64, 1), None);
        assert_eq!(line(128, 2).as_deref(), Some("128 histories passed in 2 s\n"));
        assert_eq!(line(192, 11), None);
        assert_eq!(line(193, 12).as_deref(), Some("193 histories passed in 12 s\n"));
        assert_eq!(line(1_000, 13).as_deref(), Some("1000 histories passed in 13 s\n"));
    }
}

//! A session of exploring: histories in batches, until one fails, their number is reached or the time is over.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{
    draw::{Drawer, Names, Weights},
    history, shrink,
};
use crate::{
    answer::runs::Runs,
    exit::Exit,
    run::protocol::{CaseSummary, Failure, Outcome},
};

/// Runs that shrinking may take.
const SHRINK_RUNS: usize = 120;
/// Histories that are run by one start of the program: few at first, so that what fails soon is reported soon.
const BATCH: std::ops::RangeInclusive<u64> = 4..=64;

/// What is explored, and how far.
#[derive(Clone, Debug)]
pub struct Session {
    /// How histories are run.
    pub runs: Runs,
    /// The scenario up to its steps.
    pub head: String,
    /// The names in its network.
    pub names: Names,
    /// What is drawn how often.
    pub weights: Weights,
    /// Steps of a history.
    pub length: usize,
    /// The first seed; each history has the next one.
    pub seed: u64,
    /// Histories, unless the time is over before.
    pub histories: u64,
    /// The time, if it is limited.
    pub time: Option<Duration>,
}

/// What a session came to.
#[derive(Clone, Debug)]
pub struct Found {
    /// Histories that were run.
    pub histories: u64,
    /// The first that failed.
    pub failure: Option<Shrunk>,
}

/// A failure with the fewest steps.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The seed of its history.
    pub seed: u64,
    /// How it fails.
    pub words: String,
    /// The scenario's text.
    pub text: String,
}

/// What makes two failures the same one: which invariants do not hold, or else what the message says without names and
/// numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign(BTreeSet<String>);

impl Sign {
    /// Of a failure.
    pub fn of(failure: &Failure) -> Self {
        let invariants = failure.oracle.iter().filter_map(|line| Some(line.split_once(": ")?.0.to_owned()));
        let invariants: BTreeSet<_> = invariants.collect();
        if !invariants.is_empty() {
            return Self(invariants);
        }
        let plain = |word: &str| !word.contains(|c: char| c.is_ascii_digit() || c == '.' || c == '`');
        let words: Vec<_> =
            failure.message.lines().next().unwrap_or_default().split(' ').filter(|word| plain(word)).collect();
        Self(BTreeSet::from([words.join(" ")]))
    }
}

/// A failure in one line: which invariants do not hold, or else what the message says.
fn words(failure: &Failure) -> String {
    match failure.oracle.is_empty() {
        true => failure.message.lines().next().unwrap_or_default().to_owned(),
        false => Vec::from_iter(Sign::of(failure).0).join("; "),
    }
}

impl Session {
    /// Explores; `progress` gets the number of histories that have passed.
    ///
    /// # Errors
    /// If runs cannot be started or files not be written. The inner error is the exit code of a run that was refused.
    pub fn explore(&self, mut progress: impl FnMut(u64)) -> anyhow::Result<Result<Found, Exit>> {
        let start = Instant::now();
        let mut done = 0;
        while done < self.histories && self.time.is_none_or(|time| start.elapsed() < time) {
            let batch = done.clamp(*BATCH.start(), *BATCH.end()).min(self.histories - done);
            let seeds = (self.seed + done)..(self.seed + done + batch);
            let texts: Vec<(u64, Vec<String>)> = seeds.map(|seed| (seed, self.steps(seed))).collect();
            let summaries = match self.run(&texts)? {
                Ok(summaries) => summaries,
                Err(_) if self.runs.programs.ended_by().is_some() => break,
                Err(exit) => return Ok(Err(exit)),
            };
            for ((seed, steps), summary) in texts.iter().zip(&summaries) {
                if summary.outcome != Outcome::Passed {
                    let histories = seed - self.seed + 1;
                    let failure = Some(self.shrink(*seed, steps, summary)?);
                    return Ok(Ok(Found { histories, failure }));
                }
            }
            done += batch;
            progress(done);
        }
        Ok(Ok(Found { histories: done, failure: None }))
    }

    fn steps(&self, seed: u64) -> Vec<String> {
        Drawer::new(&self.names, self.weights, seed).history(self.length)
    }

    /// Runs histories, and returns their summaries in the same order.
    fn run(&self, histories: &[(u64, Vec<String>)]) -> anyhow::Result<Result<Vec<CaseSummary>, Exit>> {
        let folder = tempfile::tempdir()?;
        let scenarios = folder.path().join("explore");
        fs::create_dir(&scenarios)?;
        let mut files = Vec::new();
        for (number, (seed, steps)) in histories.iter().enumerate() {
            let file = scenarios.join(format!("{number:06}.yaml"));
            let text = history::scenario("A random history.", &format!("{}seed: {seed}\n", self.head), steps);
            fs::write(&file, text).with_context(|| file.display().to_string())?;
            files.push(file);
        }
        let summaries = self.runs.run(&files, &[], None, &folder.path().join("artifacts"), || ())?;
        Ok(summaries.and_then(|summaries| match summaries.len() == files.len() {
            true => Ok(summaries),
            false => Err(Exit::Failed),
        }))
    }

    fn shrink(&self, seed: u64, steps: &[String], summary: &CaseSummary) -> anyhow::Result<Shrunk> {
        let mut failure = summary.failure.clone().context("a run that failed says why")?;
        let sign = Sign::of(&failure);
        // What comes after the step that failed has no part in it.
        let steps = &steps[..failure.step.unwrap_or(steps.len()).min(steps.len())];
        let fails = |tried: &[Vec<String>]| -> anyhow::Result<Option<usize>> {
            let histories: Vec<_> = tried.iter().map(|steps| (seed, steps.clone())).collect();
            let Ok(summaries) = self.run(&histories)? else { return Ok(None) };
            let failures = summaries.into_iter().map(|summary| summary.failure).enumerate();
            let mut same = failures.filter_map(|(n, found)| Some((n, found.filter(|found| Sign::of(found) == sign)?)));
            let first = same.next();
            Ok(first.map(|(n, found)| {
                failure = found;
                n
            }))
        };
        let steps = shrink::shrink(steps, SHRINK_RUNS, fails)?;
        let words = words(&failure);
        let comment = format!("Found by exploring (seed {seed}): {words}.");
        let text = history::scenario(&comment, &format!("{}seed: {seed}\n", self.head), &steps);
        Ok(Shrunk { seed, words, text })
    }
}

impl Shrunk {
    /// Writes the scenario into a folder and returns its file.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn save(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let file = folder.join(format!("explored-{}.yaml", self.seed));
        fs::write(&file, &self.text).with_context(|| file.display().to_string())?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str, oracle: &[&str]) -> Failure {
        let oracle = oracle.iter().map(|line| (*line).to_owned()).collect();
        Failure { message: message.to_owned(), oracle, ..Failure::default() }
    }

    #[test]
    fn failures_of_one_invariant_are_one() {
        let one = Sign::of(&failure("an invariant does not hold", &["a unit is used once: nyc1: 1\n  a: b"]));
        let other = Sign::of(&failure("an invariant does not hold", &["a unit is used once: pit1: 2\n  a: b"]));
        assert_eq!(one, other);
    }

    #[test]
    fn a_failure_is_worded_by_its_invariants_or_else_by_its_message() {
        let oracle = ["a unit is used once: nyc1: 1", "a rule has an interface: x", "a unit is used once: pit1: 2"];
        let worded = words(&failure("2 invariants do not hold\n  x", &oracle));
        assert_eq!(worded, "a rule has an interface; a unit is used once");
        assert_eq!(words(&failure("val1.daemon has not settled\n  slot 3", &[])), "val1.daemon has not settled");
    }

    #[test]
    fn names_and_numbers_do_not_tell_messages_apart() {
        let one = Sign::of(&failure("val1.daemon has not settled after 10s", &[]));
        let other = Sign::of(&failure("val2.daemon has not settled after 5s", &[]));
        assert_eq!(one, other);
        assert_ne!(one, Sign::of(&failure("activator has not settled after 10s", &[])));
    }
}

//! `dzsim evidence`: each scenario without each of its steps that act.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use anyhow::Context;
use dzsim_scenario::{Case, plan::acting};

use super::{progress::Progress, run::SEED};
use crate::{
    answer::evidence::{Allowed, Evidence, Variant},
    cli::{EvidenceArgs, RunOptions},
    exit::{Error, Exit, answer, complain},
    interrupt,
    run::{protocol::Outcome, world::Kind},
    runner::{Children, Job, Mode, run_one},
    scenario_files,
};

/// Tries all of them and prints those that nothing misses.
pub(super) fn run(args: &EvidenceArgs) -> Result<Exit, Error> {
    let allowed: Allowed = match &args.allow {
        Some(file) => {
            let text = scenario_files::read(file).with_context(|| file.display().to_string())?;
            text.parse().map_err(|why| Error::input(format!("{}: {why}", file.display())))?
        }
        None => Allowed::default(),
    };
    let cases = scenario_files::find(&args.files.paths).and_then(|files| scenario_files::load(&files, &[]))?;
    let workers = args.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (children, ended_by) = (Children::default(), Arc::new(OnceLock::new()));
    let (ending, by) = (children.clone(), Arc::clone(&ended_by));
    interrupt::watch(move |exit| match by.set(exit) {
        Ok(()) => ending.end(),
        Err(_) => ending.kill(),
    })?;
    let artifacts = tempfile::tempdir().context("making a temporary folder")?;
    let options = RunOptions::new(args.world, artifacts.path());
    let found = gather(&cases, &options, workers, artifacts.path(), &children);
    if let Some(exit) = ended_by.get() {
        complain("interrupted: what some steps are for is not known");
        return Ok(*exit);
    }
    let faults = found.faults(&allowed);
    for fault in &faults {
        answer(fault)?;
    }
    let elsewhere = match found.elsewhere {
        0 => String::new(),
        cases => format!("; {cases} cases can be run in the other world only"),
    };
    answer(format!("{} steps left out, {} of them not missed{elsewhere}", found.tried, found.survivors.len()))?;
    Ok(if faults.is_empty() { Exit::Passed } else { Exit::Failed })
}

/// Runs all variants of these cases, some at a time; `artifacts` gets what they leave.
fn gather(
    cases: &[(PathBuf, Case)],
    options: &RunOptions,
    workers: usize,
    artifacts: &Path,
    children: &Children,
) -> Evidence {
    let mut titles: BTreeMap<Variant, String> = BTreeMap::new();
    let mut files: BTreeMap<&PathBuf, Vec<&Case>> = BTreeMap::new();
    for (file, case) in cases.iter().filter(|(_, case)| here(case, options)) {
        files.entry(file).or_default().push(case);
        titles.insert(Variant { file: file.clone(), without: None }, String::new());
        for (place, title) in acting(&case.plan.steps) {
            titles.entry(Variant { file: file.clone(), without: Some(place) }).or_insert(title);
        }
    }
    let elsewhere = cases.iter().filter(|(_, case)| !here(case, options)).count();
    let mut evidence = Evidence { elsewhere, tried: titles.len() - files.len(), ..Evidence::default() };
    let queue = Mutex::new(titles.iter().enumerate());
    let (send, ended) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            let (queue, files, send) = (&queue, &files, send.clone());
            scope.spawn(move || {
                let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((number, (variant, title))) = take() {
                    let folder = artifacts.join(number.to_string());
                    let options = RunOptions { artifacts: folder.clone(), without: variant.without, ..options.clone() };
                    let failed =
                        files[&variant.file].iter().find_map(|case| failure(&variant.file, case, &options, children));
                    // Nobody looks at them, and there are many.
                    let _ = std::fs::remove_dir_all(folder);
                    // The receiver outlives the workers.
                    let _ = send.send((variant, title, failed));
                }
            });
        }
        drop(send);
        let mut progress = Progress::new("variants run", Some(titles.len() as u64));
        for (done, (variant, title, failed)) in (1..).zip(&ended) {
            progress.show(done);
            match (variant.without, failed) {
                (None, Some(why)) => drop(evidence.broken.insert(variant.clone(), why)),
                (Some(_), None) => drop(evidence.survivors.insert(variant.clone(), title.clone())),
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
    });
    evidence
}

/// Whether a case can be run in the world of these options.
fn here(case: &Case, options: &RunOptions) -> bool {
    case.only_in.as_ref().is_none_or(|only| Kind::from(only.world) == options.world)
}

/// Why a case does not pass.
fn failure(file: &Path, case: &Case, options: &RunOptions, children: &Children) -> Option<String> {
    let job = Job {
        file: file.to_owned(),
        called: None,
        case: case.name.clone(),
        seed: options.seed.or(case.seed).unwrap_or(SEED),
        steps: case.plan.steps.len(),
        only_in: case.only_in.clone(),
    };
    let summary = run_one(&job, options, Mode::Steps, children, |_| {});
    let why = summary.failure.map(|failure| failure.message).unwrap_or_default();
    (summary.outcome != Outcome::Passed).then_some(why)
}

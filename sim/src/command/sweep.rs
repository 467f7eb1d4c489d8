//! `dzsim sweep`: a matrix as one table of measures.

use std::{
    collections::VecDeque,
    fs,
    panic::resume_unwind,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::Context;
use tempfile::TempDir;

use super::progress::Progress;
use crate::{
    answer::{
        plot,
        runs::{self, Runs},
        table::Table,
    },
    cli::SweepArgs,
    exit::{Error, Exit, answer, complain},
    page::{self, Record},
    scenario_files,
};

/// Runs every case with every seed, or merges tables, and prints what was measured.
pub(super) fn run(args: &SweepArgs) -> Result<Exit, Error> {
    let Swept { table, failed } = match args.merge {
        true => Swept { table: merged(&args.paths)?, failed: Vec::new() },
        false => match swept(args)? {
            Ok(swept) => swept,
            Err(exit) => return Ok(exit),
        },
    };
    if let Some(file) = &args.plot {
        match plot::svg(&table, args.measure.as_deref()) {
            Ok(svg) => fs::write(file, svg).with_context(|| file.display().to_string())?,
            Err(error) => return Err(Error::input(error)),
        }
    }
    if let Some(file) = &args.html {
        fs::write(file, page::sweep(&table, &failed)).with_context(|| format!("writing {}", file.display()))?;
    }
    answer(table.render(args.format))?;
    Ok(if table.all_passed() { Exit::Passed } else { Exit::Failed })
}

/// What a sweep gave.
struct Swept {
    table: Table,
    /// For the page: the cases that did not pass.
    failed: Vec<Record>,
}

/// The parts that shards left, as one table.
fn merged(files: &[PathBuf]) -> Result<Table, Error> {
    let read = |file: &PathBuf| -> Result<Table, Error> {
        let refused = |why: String| Error::input(format!("{}: {why}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| refused(format!("expected what --format json prints: {error}")))
    };
    Ok(Table::merge(files.iter().map(read).collect::<Result<Vec<_>, _>>()?))
}

/// How many cases are run, with each seed. What is wrong with a file is said by the run.
fn total(args: &SweepArgs) -> Option<u64> {
    let files = scenario_files::find(&args.paths).ok()?;
    let cases = scenario_files::load(&files, &args.change.set).ok()?.len();
    let here = (0..cases).filter(|index| args.shard.is_none_or(|shard| shard.has(*index))).count();
    Some(here as u64 * args.seeds.max(1))
}

fn swept(args: &SweepArgs) -> anyhow::Result<Result<Swept, Exit>> {
    let mut options = vec!["--world".to_owned(), args.world.to_string()];
    if let Some(shard) = args.shard {
        options.extend(["--shard".to_owned(), shard.to_string()]);
    }
    let runs = Runs::new(options)?;
    let mut summaries = Vec::new();
    let mut failed = Vec::new();
    // A single seed is the file's own.
    let mut seeds: VecDeque<_> = if args.seeds > 1 { (1..=args.seeds).map(Some).collect() } else { [None].into() };
    let progress = Mutex::new((0, Progress::new("runs done", total(args))));
    // One run has its cases side by side: only few of them leave something to do for the runs of other seeds.
    let mut width = 1;
    while !seeds.is_empty() {
        let batch: Vec<_> = seeds.drain(..width.min(seeds.len())).collect();
        let folders = batch.iter().map(|_| tempfile::tempdir()).collect::<Result<Vec<_>, _>>()?;
        let each = || {
            let (done, progress) = &mut *progress.lock().unwrap_or_else(PoisonError::into_inner);
            *done += 1;
            progress.show(*done);
        };
        let run = |seed, folder: &TempDir| runs.run(&args.paths, &args.change.set, seed, folder.path(), each);
        let found: anyhow::Result<Result<Vec<_>, _>> = thread::scope(|scope| {
            let started = batch.iter().zip(&folders).map(|(seed, folder)| scope.spawn(move || run(*seed, folder)));
            let started: Vec<_> = started.collect();
            started.into_iter().map(|run| run.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let found = match found? {
            Ok(found) => found.concat(),
            Err(exit) => {
                let (done, progress) = &mut *progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.clear();
                if runs.programs.ended_by().is_some() {
                    complain(format!("interrupted after {done} runs: no table"));
                }
                return Ok(Err(exit));
            }
        };
        width = thread::available_parallelism()?.get().div_ceil(found.len().div_ceil(batch.len()).max(1));
        progress.lock().unwrap_or_else(PoisonError::into_inner).1.clear();
        for summary in found.iter().filter(|summary| summary.failure.is_some()) {
            if let Some(failure) = &summary.failure {
                complain(format!("{} (seed {}): {}: {}", summary.case, summary.seed, failure.title, failure.message));
            }
            // The folders go with their batch.
            if args.html.is_some() {
                failed.push(Record::read(summary, None)?);
            }
        }
        summaries.extend(found);
    }
    Ok(Ok(Swept { table: runs::table(&summaries), failed }))
}

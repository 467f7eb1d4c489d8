//! `dzsim sweep`: a matrix as one table of measures.

use std::{fs, path::PathBuf};

use anyhow::Context;

use crate::{
    answer::{
        plot,
        runs::{self, Runs},
        table::Table,
    },
    cli::SweepArgs,
    exit::{Error, Exit, answer, complain},
    page::{self, Record},
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
fn merged(files: &[PathBuf]) -> anyhow::Result<Table> {
    let read = |file: &PathBuf| -> anyhow::Result<Table> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        serde_json::from_str(&text).with_context(|| format!("{}: expected what --format json prints", file.display()))
    };
    Ok(Table::merge(files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?))
}

fn swept(args: &SweepArgs) -> anyhow::Result<Result<Swept, Exit>> {
    let mut options = vec!["--world".to_owned(), args.world.to_string()];
    if let Some(shard) = args.shard {
        options.extend(["--shard".to_owned(), shard.to_string()]);
    }
    let runs = Runs::new(options)?;
    let artifacts = tempfile::tempdir()?;
    let mut summaries = Vec::new();
    let mut failed = Vec::new();
    for seed in 1..=args.seeds {
        // A single seed is the file's own.
        let seed = (args.seeds > 1).then_some(seed);
        let found = match runs.run(&args.paths, &args.change.set, seed, artifacts.path())? {
            Ok(found) => found,
            Err(exit) => return Ok(Err(exit)),
        };
        for summary in found.iter().filter(|summary| summary.failure.is_some()) {
            if let Some(failure) = &summary.failure {
                complain(format!("{} (seed {}): {}: {}", summary.case, summary.seed, failure.title, failure.message));
            }
            // The next seed writes to the same folder, and all go with the sweep.
            if args.html.is_some() {
                failed.push(Record::read(summary, None)?);
            }
        }
        summaries.extend(found);
    }
    Ok(Ok(Swept { table: runs::table(&summaries), failed }))
}

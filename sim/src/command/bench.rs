//! `dzsim bench`: the figures of this machine.

use std::fs;

use anyhow::Context;

use crate::{
    answer::bench::{
        Bench, Effort,
        report::{Machine, Report},
        rows::Size,
    },
    cli::BenchArgs,
    exit::{Error, Exit, answer, complain},
    interrupt::Programs,
    run::world::Kind,
    this_program,
};

/// Measures, prints the table and stores it where that is asked for.
pub(super) fn run(args: &BenchArgs) -> Result<Exit, Error> {
    let stored: Option<Report> = match &args.against {
        None => None,
        Some(file) => {
            let text =
                fs::read_to_string(file).map_err(|error| Error::input(format!("{}: {error}", file.display())))?;
            let wrong = |error| Error::input(format!("{}: no table of `dzsim bench`: {error}", file.display()));
            Some(serde_json::from_str(&text).map_err(wrong)?)
        }
    };
    let programs = Programs::watched()?;
    let folder = tempfile::tempdir().context("making a folder for the runs")?;
    let suite = args.suite.canonicalize().map_err(|error| format!("{}: {error}", args.suite.display()));
    let mut report = Report { machine: Machine::this(), figures: Vec::new() };
    let bench = Bench {
        dzsim: this_program::path().context("finding the dzsim program")?,
        programs,
        folder: folder.path(),
        suite,
        worlds: args.world.clone(),
        lacks: if args.world.contains(&Kind::Real) { lacks() } else { None },
        size: Size { devices: args.devices.get(), clients: args.clients.get() },
        effort: Effort::default(),
    };
    let all = bench.measure(&mut |figure| {
        complain(&figure);
        report.figures.push(figure);
    });
    answer(report.markdown(stored.as_ref()))?;
    if let Some(file) = &args.store {
        let text = serde_json::to_string_pretty(&report).context("writing the table")?;
        fs::write(file, text + "\n").with_context(|| file.display().to_string())?;
    }
    Ok(bench.programs.ended_by().unwrap_or(if all { Exit::Passed } else { Exit::Failed }))
}

/// What this machine lacks for the real world, in one line.
fn lacks() -> Option<String> {
    let report = dzsim_lab::doctor::check();
    let missing: Vec<_> = report.missing_required().into_iter().map(|capability| capability.name.clone()).collect();
    (!missing.is_empty()).then(|| format!("this machine lacks {}: see `dzsim doctor`", missing.join(", ")))
}

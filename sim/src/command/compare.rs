//! `dzsim compare`: two policies, two files or two builds, side by side.

use std::{fs, path::PathBuf};

use anyhow::Context;
use dzsim_scenario::Change;

use crate::{
    answer::{
        comparison::{self, Side},
        runs::{self, Runs},
    },
    cli::CompareArgs,
    exit::{Error, Exit, answer},
    page::{self, Record},
    run::artifacts,
};

/// Runs both sides and prints their measures and networks as Markdown. A difference is no failure.
pub(super) fn run(args: &CompareArgs) -> Result<Exit, Error> {
    let right = args.b.as_ref().unwrap_or(&args.a);
    if args.b.is_none() && args.change.set.is_empty() && args.with.is_none() {
        return Err(Error::input(
            "nothing to compare with: name a second file, a change (--set policy.x=y) or another build (--with PATH)",
        ));
    }
    let world = vec!["--world".to_owned(), args.world.to_string()];
    let first = Runs::new(world)?;
    let mut second = first.clone();
    let mut name = args.change.set.iter().map(ToString::to_string).collect::<Vec<_>>();
    if let Some(other) = &args.with {
        second.dzsim.clone_from(other);
        name.push(other.display().to_string());
    }
    if args.b.is_some() || name.is_empty() {
        name.insert(0, right.display().to_string());
    }
    let (a, b) = match (
        side(&first, &args.a, &[], args.a.display().to_string())?,
        side(&second, right, &args.change.set, name.join(", "))?,
    ) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(exit), _) | (_, Err(exit)) => return Ok(exit),
    };
    let ((a, a_records), (b, b_records)) = (a, b);
    if let Some(file) = &args.html {
        let page = page::comparison(&a, &b, (&a_records, &b_records));
        fs::write(file, page).with_context(|| format!("writing {}", file.display()))?;
    }
    answer(comparison::markdown(&a, &b))?;
    Ok(Exit::Passed)
}

/// A side, and the records of its cases for a page.
fn side(
    runs: &Runs,
    file: &PathBuf,
    changes: &[Change],
    name: String,
) -> anyhow::Result<Result<(Side, Vec<Record>), Exit>> {
    let folder = tempfile::tempdir()?;
    let summaries = match runs.run(std::slice::from_ref(file), changes, None, folder.path(), || ())? {
        Ok(summaries) => summaries,
        Err(exit) => return Ok(Err(exit)),
    };
    let mut chains = Vec::new();
    let records = summaries.iter().map(|summary| Record::read(summary, None)).collect::<Result<Vec<_>, _>>()?;
    for summary in &summaries {
        let chain = summary.artifacts.join(artifacts::CHAIN);
        // A case that did not come up has no chain to compare.
        if chain.is_file() {
            let text = fs::read_to_string(&chain).with_context(|| chain.display().to_string())?;
            chains.push((summary.case.clone(), text));
        }
    }
    Ok(Ok((Side { name, table: runs::table(&summaries), chains }, records)))
}

//! `dzsim explore`: random histories under the oracle.

use std::{fs, io::IsTerminal};

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
    exit::Exit,
    files::Words,
};

/// Explores and prints what was found; a failure is a scenario file.
pub(super) fn run(args: &ExploreArgs) -> anyhow::Result<Exit> {
    let text = match &args.file {
        Some(file) => fs::read_to_string(file).with_context(|| file.display().to_string())?,
        None => format!("{NETWORK}steps: []\n"),
    };
    let head = match history::head(&text) {
        Ok(head) => head.to_owned(),
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(Exit::BadInput);
        }
    };
    let name = args.file.clone().unwrap_or_else(|| "explore/network.yaml".into());
    let cases = match dzsim_scenario::parse(&name, &format!("{head}steps: []\n"), &Words) {
        Ok(cases) => cases,
        Err(diagnostics) => {
            eprintln!("{diagnostics}");
            return Ok(Exit::BadInput);
        }
    };
    let [case] = cases.as_slice() else {
        eprintln!("error: {} has {} cases: expected a file without `matrix`", name.display(), cases.len());
        return Ok(Exit::BadInput);
    };
    let session = Session {
        runs: Runs::new(vec!["--world".to_owned(), args.world.to_string()])?,
        names: history::names(case),
        head,
        weights: args.weights,
        length: args.length,
        seed: args.seed,
        histories: args.histories,
        time: args.time.map(Into::into),
    };
    let live = std::io::stderr().is_terminal();
    let found = session.explore(|done| {
        if live {
            eprint!("\r{done} histories passed");
        }
    })?;
    let found = match found {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let length = args.length;
    let Some(failure) = found.failure else {
        println!("{} histories of {length} steps: no failure", found.histories);
        return Ok(Exit::Passed);
    };
    let file = failure.save(&args.out)?;
    println!("history {} of {length} steps fails: {}", found.histories, failure.sign);
    println!(
        "{}: dzsim run {} --world {}",
        failure.text.lines().filter(|line| line.starts_with("  - ")).count(),
        file.display(),
        args.world
    );
    Ok(Exit::Failed)
}

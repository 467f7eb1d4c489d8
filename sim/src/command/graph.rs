//! `dzsim graph`: the network of a scenario as a drawing.

use crate::{
    answer::graph,
    cli::GraphArgs,
    exit::{Error, Exit, answer},
    run::network::Network,
    scenario_files,
};

/// Prints the drawing.
pub(super) fn run(args: &GraphArgs) -> Result<Exit, Error> {
    let cases = scenario_files::load(std::slice::from_ref(&args.file), &[])?;
    let found = match &args.case {
        Some(name) => cases.iter().find(|(_, case)| case.name == *name),
        None => cases.first(),
    };
    let Some((_, case)) = found else {
        let names: Vec<&str> = cases.iter().map(|(_, case)| case.name.as_str()).collect();
        return Err(Error::input(format!("no such case; there are: {}", names.join(", "))));
    };
    answer(graph::draw(&Network::of(&case.plan), args.format))?;
    Ok(Exit::Passed)
}

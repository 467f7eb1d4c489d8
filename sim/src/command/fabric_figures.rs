//! `dzsim fabric-figures`: the process of `bench` that measures the fabric in namespaces of its own.

use anyhow::Context;

use crate::{
    answer::bench::fabric,
    cli::FabricFiguresArgs,
    exit::{Error, Exit, answer},
};

/// Enters a lab before it starts a thread, measures, and prints the figures as JSON.
pub(super) fn run(args: &FabricFiguresArgs) -> Result<Exit, Error> {
    dzsim_lab::enter().context("entering namespaces")?;
    let figures = fabric::measure(args.pings.get(), args.rounds.get())?;
    answer(serde_json::to_string(&figures).context("writing the figures")?)?;
    Ok(Exit::Passed)
}

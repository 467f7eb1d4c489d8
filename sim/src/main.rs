//! `dzsim`, the simulator.

use std::process::ExitCode;

use clap::Parser;
use dzsim::{cli::Cli, command};

fn main() -> ExitCode {
    command::run(Cli::parse())
}

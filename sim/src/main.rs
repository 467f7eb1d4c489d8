//! `dzsim`, the simulator.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use dzsim::{cli::Cli, command, multicall};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    // Called by the name of a program of the stack, it is that program.
    if let Some(name) =
        args.next().as_deref().and_then(|path| Path::new(path).file_name()).filter(|name| multicall::is(name))
    {
        return multicall::play(std::iter::once(name.to_owned()).chain(args).collect()).into();
    }
    command::run(Cli::parse())
}

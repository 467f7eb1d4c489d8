//! `dzsim`, the simulator.

use std::{path::Path, process::ExitCode};

use clap::Parser;
use dzsim::{
    cli::Cli,
    command,
    exit::{Error, Exit},
    multicall,
};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    // Called by the name of a program of the stack, it is that program.
    if let Some(name) =
        args.next().as_deref().and_then(|path| Path::new(path).file_name()).filter(|name| multicall::is(name))
    {
        return multicall::play(std::iter::once(name.to_owned()).chain(args).collect()).into();
    }
    match Cli::try_parse() {
        Ok(cli) => command::run(cli),
        Err(answer) => show(&answer),
    }
}

/// Writes a help text, a version or what is wrong with the command line.
fn show(answer: &clap::Error) -> ExitCode {
    match answer.print() {
        Ok(()) => ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(Exit::BadInput as u8)),
        Err(error) => {
            let error = Error::Output(error);
            error.show();
            error.exit().into()
        }
    }
}

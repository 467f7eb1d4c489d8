//! The verbs of `dzsim`.

mod check;
mod doctor;
mod ledger;
mod run;
mod scenario;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Command},
    exit::Exit,
    node,
};

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Schema => check::schema(),
        Command::Ledger(args) => ledger::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Node(args) => return node::play(args.role.into_iter().map(Into::into).collect()),
        Command::GreHelper => return node::play(vec!["gre-helper".into()]),
        Command::Scenario(args) => scenario::run(&args),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Failed.into()
        }
    }
}

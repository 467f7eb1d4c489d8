//! The verbs of `dzsim`.

mod check;
mod compare;
mod doctor;
mod down;
mod exec;
mod explore;
mod ledger;
mod rfc;
mod run;
mod scenario;
mod status;
mod sweep;
mod up;

use std::process::ExitCode;

use crate::{
    cli::{Cli, Command},
    exit::Exit,
    multicall,
    run::world::Kind,
};

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Schema => check::schema(),
        Command::Up(args) => up::run(&args),
        Command::Exec(args) => return exec::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Down(args) => down::run(&args),
        Command::Ledger(args) => ledger::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Rfc(command) => rfc::run(&command.command),
        Command::Node(args) => return multicall::play(args.role.into_iter().map(Into::into).collect()),
        Command::GreHelper => return multicall::play(vec!["gre-helper".into()]),
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

/// Says what this machine lacks to run scenarios in this world, with the fix; none if it lacks nothing.
fn cannot_run(world: Kind) -> Option<Exit> {
    if world == Kind::Virtual {
        return None;
    }
    let report = dzsim_lab::doctor::check();
    let missing = report.missing_required();
    for capability in &missing {
        eprintln!("error: this machine cannot run scenarios in the real world: {capability}");
    }
    if !missing.is_empty() {
        eprintln!("It can run them in the virtual world: --world virtual");
        return Some(Exit::CannotRun);
    }
    None
}

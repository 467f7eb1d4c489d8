//! The verbs of `dzsim`.

mod bench;
mod check;
mod compare;
mod completions;
mod doctor;
mod down;
mod evidence;
mod exec;
mod explore;
mod fabric_figures;
mod graph;
mod ledger;
mod man;
mod progress;
mod replay;
mod rfc;
mod run;
mod scenario;
mod status;
mod sweep;
mod up;

use std::process::ExitCode;

use dz_net::gre::Dataplane;
use dzsim_lab::doctor::State;

use crate::{
    cli::{Cli, Command, RunOptions},
    environment,
    exit::Error,
    multicall,
    run::{artifacts, world::Kind},
};

/// Runs the verb of the command line.
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
        Command::CleanUp { folder } => ledger::clean_up(&folder),
        Command::Doctor(args) => doctor::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Evidence(args) => evidence::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::FabricFigures(args) => fabric_figures::run(&args),
        Command::Rfc(command) => rfc::run(&command.command),
        Command::Node(args) => return multicall::play(args.role.into_iter().map(Into::into).collect()).into(),
        Command::GreHelper => return multicall::play(vec![dz_net::gre::HelperCommand::ARGUMENT.into()]).into(),
        Command::Scenario(args) => scenario::run(&args),
    };
    let exit = done.unwrap_or_else(|error| {
        error.show();
        error.exit()
    });
    exit.into()
}

/// Checks once what every case needs: a machine that can run scenarios in this world with this data plane, and a folder
/// to write to.
fn prepare(options: &RunOptions) -> Result<(), Error> {
    environment::fix_umask();
    if options.world == Kind::Real {
        can_run(options)?;
    }
    Ok(artifacts::try_root(&options.artifacts)?)
}

/// Checks what the real world needs of this machine.
fn can_run(options: &RunOptions) -> Result<(), Error> {
    let report = dzsim_lab::doctor::check();
    let mut missing: Vec<String> = report.missing_required().iter().map(ToString::to_string).collect();
    if options.dataplane == Dataplane::Kernel {
        let gre = report.capabilities.iter().find(|capability| capability.name == dzsim_lab::doctor::KERNEL_GRE);
        missing.extend(gre.filter(|gre| gre.state != State::Ready).map(ToString::to_string));
    }
    if !missing.is_empty() {
        let list = missing.join("\n");
        return Err(Error::Machine(anyhow::anyhow!(
            "this machine cannot run scenarios in the real world; in the virtual one it can: --world virtual\n{list}\nsee \
             `dzsim doctor`"
        )));
    }
    Ok(())
}

/// A network in the virtual world cannot be held.
fn held_only_in_the_real_world(options: &RunOptions) -> Result<(), Error> {
    match options.world {
        Kind::Real => Ok(()),
        Kind::Virtual => {
            Err(Error::input("a network in the virtual world cannot be held: it has no nodes to log in to"))
        }
    }
}

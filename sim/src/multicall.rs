//! The roles of the stack in one program: `dzsim node <role>` is what the product's own binary is.

use std::ffi::OsString;

use clap::Parser;
use dz_net::gre::HelperCommand;

use crate::exit::{Exit, complain};

/// The names under which the program plays a role, also when it is called by one of them.
const ROLES: [&str; 6] = ["activator", "controller", "agent", "doublezerod", "doublezero", HelperCommand::ARGUMENT];

/// Whether this is the name of a role.
pub fn is(name: &std::ffi::OsStr) -> bool {
    ROLES.iter().any(|role| name == *role)
}

/// Plays a role and returns its exit code; `args` begins with its name.
pub fn play(args: Vec<OsString>) -> u8 {
    let Some(role) = args.first().and_then(|role| role.to_str()).map(str::to_owned) else { return unknown("") };
    match role.as_str() {
        "activator" => service(args, dz_activator::run),
        "controller" => service(args, dz_controller::serve::run),
        "agent" => service(args, dz_controller::agent::run),
        "doublezerod" => service(args, dz_client::daemon::run),
        "doublezero" => match runtime() {
            Ok(runtime) => runtime.block_on(dz_client::cli::run(args)) as u8,
            Err(error) => failed(&error.into()),
        },
        HelperCommand::ARGUMENT => match dz_net::gre::helper::serve() {
            Ok(()) => 0,
            Err(error) => failed(&anyhow::Error::from(error)),
        },
        other => unknown(other),
    }
}

fn unknown(role: &str) -> u8 {
    complain(format!("error: unknown role '{role}'; the roles are {}", ROLES.join(", ")));
    Exit::BadInput as u8
}

fn failed(error: &anyhow::Error) -> u8 {
    complain(format!("error: {error:#}"));
    1
}

/// One thread is enough for any role: they wait far more than they work.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Arguments of a role.
#[derive(Parser)]
struct CommandLine<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

fn service<A: clap::Args, F: Future<Output = anyhow::Result<()>>>(args: Vec<OsString>, run: impl FnOnce(A) -> F) -> u8 {
    let CommandLine { args } = CommandLine::parse_from(args);
    match runtime().map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(args))) {
        Ok(()) => 0,
        Err(error) => failed(&error),
    }
}

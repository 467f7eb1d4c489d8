//! `dzsim exec`: a command or a shell in a node of a network that is held.

use std::{
    ffi::OsString,
    io::{IsTerminal, stdin},
    process::ExitCode,
};

use dzsim_lab::{Exit as Ended, Host, NodeName, attach};
use nix::unistd::Pid;

use crate::{
    cli::ExecArgs,
    environment,
    exit::{Error, complain},
    held_networks::Held,
    run::roles,
};

/// Runs it with this terminal; its exit code is ours.
pub(super) fn run(args: &ExecArgs) -> ExitCode {
    match ended(args) {
        Ok(Ended::Code(code)) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        // As shells say it.
        Ok(Ended::Signal(signal)) => u8::try_from(128 + signal).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            error.show();
            error.exit().into()
        }
    }
}

fn ended(args: &ExecArgs) -> Result<Ended, Error> {
    let held = Held::one(&args.held.artifacts, args.case.as_deref())?;
    inside(&held, &args.node, &args.command)
}

/// Runs a command, or a shell if there is none, in a node of a network that is held.
pub(super) fn inside(held: &Held, name: &str, command: &[OsString]) -> Result<Ended, Error> {
    if !held.nodes.iter().any(|node| node == name) {
        return Err(Error::input(format!("no node {name} in {}; it has {}", held.case, held.nodes.join(", "))));
    }
    let host = if name == "operator" { Host::Core } else { Host::Node(NodeName::new(name).map_err(Error::input)?) };
    let argv = match command.is_empty() {
        true => vec![std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())],
        false => command.to_vec(),
    };
    if command.is_empty() && stdin().is_terminal() {
        complain(format!("a shell in {name} of {}; `exit` leaves it", held.case));
    }
    let folder = std::path::Path::new(dzsim_lab::FILES).join(host.as_str());
    let mut env = environment::of_caller();
    env.extend(
        roles::user_env(roles::key_file(name, &folder), &folder).into_iter().map(|(name, value)| (name.into(), value)),
    );
    // Shells that do not show the host's name in their prompt take it from here.
    env.extend([("PATH".into(), roles::path()), ("PS1".into(), format!("{name}# ").into())]);
    attach::exec(Pid::from_raw(held.init), &host, name, &argv, &env).map_err(|error| Error::Machine(error.into()))
}

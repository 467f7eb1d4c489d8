//! `dzsim exec`: a command or a shell in a node of a network that is held.

use std::{ffi::OsString, process::ExitCode};

use dzsim_lab::{Exit as Ended, Host, NodeName, attach};
use nix::unistd::Pid;

use crate::{
    cli::ExecArgs,
    exit::Exit,
    held_networks::Held,
    run::roles::{self, BIN},
};

/// Runs it with this terminal; its exit code is ours.
pub(super) fn run(args: &ExecArgs) -> ExitCode {
    match ended(args) {
        Ok(Ended::Code(code)) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        // As shells say it.
        Ok(Ended::Signal(signal)) => u8::try_from(128 + signal).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::BadInput.into()
        }
    }
}

fn ended(args: &ExecArgs) -> anyhow::Result<Ended> {
    let held = Held::one(&args.held.artifacts, args.case.as_deref())?;
    let host = match args.node.as_str() {
        "operator" => Host::Core,
        name => Host::Node(NodeName::new(name)?),
    };
    let argv = match args.command.is_empty() {
        true => vec![std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())],
        false => args.command.clone(),
    };
    let folder = std::path::Path::new(dzsim_lab::FILES).join(host.as_str());
    let mut path = OsString::from(BIN);
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    let env: Vec<(OsString, OsString)> = roles::user_env(&args.node, &folder)
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .chain([("PATH".into(), path)])
        .collect();
    Ok(attach::exec(Pid::from_raw(held.init), &host, &argv, &env)?)
}

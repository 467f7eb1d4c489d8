//! `dzsim down`.

use anyhow::Context;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    cli::DownArgs,
    exit::{Error, Exit, answer},
    held_networks::{Held, start_of},
};

/// Asks the holders to end their networks and waits until those are gone.
pub(super) fn run(args: &DownArgs) -> Result<Exit, Error> {
    let root = &args.held.artifacts;
    let held = match &args.case {
        Some(case) => vec![Held::one(root, Some(case))?],
        None => Held::all(root).context("looking for networks that are held")?,
    };
    if held.is_empty() {
        answer("no network is held")?;
    }
    for Held { case, holder, init, started, .. } in held {
        match kill(Pid::from_raw(holder), Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => {
                return Err(anyhow::anyhow!("cannot end {case}, which process {holder} holds: {error}").into());
            }
        }
        // The holder is not a child, so its end has no other notice than its absence.
        while start_of(init) == Some(started) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        answer(format!("{case} is down"))?;
    }
    Ok(Exit::Passed)
}

//! `dzsim down`.

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    cli::DownArgs,
    exit::Exit,
    held_networks::{Held, start_of},
};

/// Asks the holders to end their networks and waits until those are gone.
pub(super) fn run(args: &DownArgs) -> anyhow::Result<Exit> {
    let root = &args.held.artifacts;
    let held = match &args.case {
        Some(case) => vec![Held::one(root, Some(case))?],
        None => Held::all(root)?,
    };
    if held.is_empty() {
        println!("no network is held");
    }
    for Held { case, holder, init, started, .. } in held {
        match kill(Pid::from_raw(holder), Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => anyhow::bail!("cannot end {case}, which process {holder} holds: {error}"),
        }
        // The holder is not a child, so its end has no other notice than its absence.
        while start_of(init) == Some(started) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        println!("{case} is down");
    }
    Ok(Exit::Passed)
}

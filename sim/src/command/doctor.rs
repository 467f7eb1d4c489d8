//! `dzsim doctor`.

use crate::{cli::DoctorArgs, exit::Exit};

/// Prints what this machine can do, and how to fix what it cannot.
pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<Exit> {
    let report = dzsim_lab::doctor::check();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.missing_required().is_empty() { Exit::Passed } else { Exit::CannotRun })
}

//! `dzsim doctor`.

use serde_json::json;

use crate::{
    cli::DoctorArgs,
    environment,
    exit::{Error, Exit, answer},
};

/// Prints what this machine can do, how to fix what it cannot, and what of the environment runs ignore.
pub(super) fn run(args: &DoctorArgs) -> Result<Exit, Error> {
    let report = dzsim_lab::doctor::check();
    let ignored = environment::ignored();
    if args.json {
        let value = json!({"capabilities": report.capabilities, "ignored": ignored});
        answer(format!("{value:#}"))?;
    } else {
        if !ignored.is_empty() {
            answer(format!("set here, and ignored by runs: {}\n", ignored.join(", ")))?;
        }
        answer(&report)?;
    }
    Ok(if report.missing_required().is_empty() { Exit::Passed } else { Exit::CannotRun })
}

//! `dzsim up`: a network that is held until it is taken down.

use std::sync::{Arc, Mutex, PoisonError};

use super::{prepare, run::SEED};
use crate::{
    cli::UpArgs,
    exit::{Error, Exit, answer, complain},
    interrupt,
    run::protocol::{Outcome, Progress},
    runner::{self, Children, Job, Mode},
    scenario_files,
};

/// Brings the network up and waits for Ctrl-C, SIGTERM or `dzsim down`.
pub(super) fn run(args: &UpArgs) -> Result<Exit, Error> {
    let cases = scenario_files::load(std::slice::from_ref(&args.file), &args.options.change.set)?;
    let names: Vec<&str> = cases.iter().map(|(_, case)| case.name.as_str()).collect();
    let wanted = match &args.case {
        Some(wanted) => cases.iter().find(|(_, case)| case.name == *wanted),
        None if cases.len() == 1 => cases.first(),
        None => None,
    };
    let Some((_, case)) = wanted else {
        return Err(Error::input(format!("name one case with --case: {}", names.join(", "))));
    };
    super::held_only_in_the_real_world(&args.options)?;
    prepare(&args.options)?;
    let children = Children::default();
    let held = Arc::new(Mutex::new(false));
    let (ending, is_held) = (children.clone(), Arc::clone(&held));
    let mut asked = false;
    interrupt::watch(move |_| {
        // Asked twice, or while it comes up and there is nothing to end in good order, it ends at once.
        if std::mem::replace(&mut asked, true) || !*is_held.lock().unwrap_or_else(PoisonError::into_inner) {
            ending.kill();
        }
        ending.end();
    })?;
    let seed = case.seed.unwrap_or(SEED);
    let job = Job { file: args.file.clone(), called: None, case: case.name.clone(), seed, steps: 0, only_in: None };
    let mut unseen = None;
    let summary = runner::run_one(&job, &args.options, Mode::Hold, &children, |progress| {
        if let Progress::Held { nodes, .. } = progress {
            *held.lock().unwrap_or_else(PoisonError::into_inner) = true;
            let text = format!(
                "{} is up: {}\n`dzsim exec NODE [COMMAND]` from another shell; `dzsim down` or Ctrl-C ends it",
                job.case,
                nodes.join(" ")
            );
            if let Err(error) = answer(text) {
                unseen = Some(error);
                children.end();
            }
        }
    });
    if let Some(error) = unseen {
        return Err(error);
    }
    if let Some(failure) = &summary.failure {
        complain(format!("error: {}: {}", summary.case, failure.message));
    }
    Ok(match summary.outcome {
        Outcome::Passed | Outcome::NotRun => Exit::Passed,
        Outcome::Failed => Exit::Failed,
        Outcome::TooSlow | Outcome::CannotRun => Exit::CannotRun,
    })
}

//! `dzsim run`.

use dzsim_scenario::plan::leave_out;

use crate::{
    cli::RunArgs,
    exit::{Error, Exit},
    runner::{self, Job},
    scenario_files,
};

/// The seed of a case that states none.
pub(super) const SEED: u64 = 1;

/// Validates everything, then runs what the filter leaves.
pub(super) fn run(args: &RunArgs) -> Result<Exit, Error> {
    let cases = scenario_files::find(&args.files.paths)
        .and_then(|files| scenario_files::load(&files, &args.options.change.set))?;
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|filter| name.contains(filter));
    let all = cases.len();
    if let Some(place) = args.options.without
        && !cases.iter().any(|(_, case)| leave_out(&mut case.plan.steps.clone(), place) > 0)
    {
        return Err(Error::input(format!("no step begins at {place}")));
    }
    let jobs: Vec<Job> = cases
        .into_iter()
        .filter(|(_, case)| wanted(&case.name))
        .enumerate()
        .filter(|(index, _)| args.shard.is_none_or(|shard| shard.has(*index)))
        .map(|(_, case)| case)
        .map(|(file, case)| Job {
            file,
            called: None,
            seed: case.seed.unwrap_or(SEED),
            steps: case.plan.steps.len(),
            case: case.name,
            only_in: case.only_in,
        })
        .collect();
    if jobs.is_empty() && args.shard.is_some() {
        return Err(Error::input(format!("this share of {all} cases is empty")));
    }
    if jobs.is_empty() {
        let filter = args.filter.as_deref().unwrap_or_default();
        return Err(Error::input(format!("none of {all} cases has '{filter}' in its name")));
    }
    if args.pause_on_failure {
        super::held_only_in_the_real_world(&args.options)?;
    }
    super::prepare(&args.options)?;
    runner::run(jobs, args)
}

//! `dzsim run`.

use crate::{
    cli::RunArgs,
    command::cannot_run,
    exit::Exit,
    files,
    run::{
        parent::{self, Job},
        world::Kind,
    },
};

/// The seed of a case that states none.
pub(super) const SEED: u64 = 1;

/// Validates everything, then runs what the filter leaves.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let cases = match files::find(&args.files.paths).and_then(|files| files::load(&files, &args.options.change.set)) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("{error}");
            return Ok(Exit::BadInput);
        }
    };
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|filter| name.contains(filter));
    let all = cases.len();
    let jobs: Vec<Job> = cases
        .into_iter()
        .filter(|(_, case)| wanted(&case.name))
        .enumerate()
        .filter(|(index, _)| args.shard.is_none_or(|shard| shard.has(*index)))
        .map(|(_, case)| case)
        .map(|(file, case)| Job { file, case: case.name, seed: case.seed.unwrap_or(SEED), only_in: case.only_in })
        .collect();
    if jobs.is_empty() && args.shard.is_some() {
        eprintln!("error: this share of {all} cases is empty");
        return Ok(Exit::BadInput);
    }
    if jobs.is_empty() {
        eprintln!("error: none of {all} cases has '{}' in its name", args.filter.as_deref().unwrap_or_default());
        return Ok(Exit::BadInput);
    }
    if args.options.world == Kind::Virtual && args.pause_on_failure {
        eprintln!("error: a network in the virtual world cannot be held: it has no nodes to log in to");
        return Ok(Exit::BadInput);
    }
    if let Some(exit) = cannot_run(args.options.world) {
        return Ok(exit);
    }
    parent::run(jobs, args)
}

//! The parent: one process a case, a few at a time, and what they tell.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    iter,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Instant,
};

use anyhow::Context;

use dzsim_scenario::plan::OnlyIn;

use super::artifacts;
use super::protocol::{CaseSummary, Failure, Outcome, Progress};
use super::world::Kind;
use crate::{
    cli::{RunArgs, RunOptions},
    exit::Exit,
    report,
};

/// A case to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario file.
    pub file: PathBuf,
    /// The case in it.
    pub case: String,
    /// The seed it states for itself.
    pub seed: u64,
    /// The only world that it can be run in, if it is not both.
    pub only_in: Option<OnlyIn>,
}

/// What a worker tells the reporter.
enum Told {
    Started,
    Progress(Progress),
}

/// Runs the jobs and reports; the worst outcome decides the exit code.
pub fn run(jobs: Vec<Job>, args: &RunArgs) -> anyhow::Result<Exit> {
    let start = Instant::now();
    let mut report = report::reporter(args.format, jobs.len());
    let workers = args.jobs.unwrap_or_else(|| 2 * thread::available_parallelism().map_or(1, usize::from)).max(1);
    // Only one network can own the terminal while it is held.
    let workers = if args.pause_on_failure { 1 } else { workers };
    let (tell, told) = mpsc::channel::<(String, Told)>();
    let work = move |job: Job| {
        let say = |progress| drop(tell.send((job.case.clone(), progress)));
        say(Told::Started);
        let summary = run_one(&job, args, |progress| say(Told::Progress(progress)));
        say(Told::Progress(Progress::Finished(Box::new(summary))));
    };
    let mut summaries = thread::scope(|scope| -> anyhow::Result<Vec<CaseSummary>> {
        side_by_side(scope, workers, jobs, work);
        let mut summaries = Vec::new();
        for (case, told) in told {
            match told {
                Told::Started => report.started(&case)?,
                Told::Progress(progress) => {
                    report.progress(&case, &progress)?;
                    if let Progress::Finished(summary) = progress {
                        summaries.push(*summary);
                    }
                }
            }
        }
        Ok(summaries)
    })?;
    summaries.sort_by(|a, b| a.case.cmp(&b.case));
    report.finished(&summaries, start.elapsed().as_secs_f64() * 1e3)?;
    Ok(summaries
        .iter()
        .map(|summary| match summary.outcome {
            Outcome::Passed => Exit::Passed,
            Outcome::Failed => Exit::Failed,
            Outcome::CannotRun => Exit::CannotRun,
        })
        .max()
        .unwrap_or(Exit::Passed))
}

/// Starts workers that do the jobs in order, each the next one as soon as it is free.
fn side_by_side<'scope, J: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    workers: usize,
    jobs: Vec<J>,
    work: impl Fn(J) + Clone + Send + 'scope,
) {
    let queue = Arc::new(Mutex::new(VecDeque::from(jobs)));
    for _ in 0..workers {
        let (queue, work) = (Arc::clone(&queue), work.clone());
        // The queue is locked only inside: a guard in the head of the loop would live until the end of its body. A
        // poisoned queue means that another worker panicked; what is left in it is still whole.
        let next = move || queue.lock().unwrap_or_else(|poison| poison.into_inner()).pop_front();
        scope.spawn(move || iter::from_fn(next).for_each(work));
    }
}

/// Runs one case and passes on all it tells but its summary, which it returns.
fn run_one(job: &Job, args: &RunArgs, mut tell: impl FnMut(Progress)) -> CaseSummary {
    let start = Instant::now();
    if let Some(only) = job.only_in.as_ref().filter(|only| Kind::from(only.world) != args.options.world) {
        let title = format!("it can be run in the {} world only", only.world);
        let message = only.because.clone();
        return not_run(job, args, Outcome::CannotRun, Failure { title, message, ..Failure::default() }, 0.0);
    }
    let artifacts = artifacts::folder(&args.options.artifacts, &job.case);
    let ended = artifacts::make_room(&artifacts, args.keep).and_then(|()| spawn(job, args)).and_then(|mut child| {
        let mut summary = None;
        if let Some(out) = child.stdout.take() {
            for line in BufReader::new(out).lines() {
                match serde_json::from_str(&line?) {
                    Ok(Progress::Finished(finished)) => summary = Some(*finished),
                    Ok(progress) => tell(progress),
                    Err(error) => anyhow::bail!("the scenario's process wrote something unexpected: {error}"),
                }
            }
        }
        let mut errors = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut errors)?;
        }
        let status = child.wait()?;
        summary.with_context(|| format!("the scenario's process ended with {status}\n{}", errors.trim_end()))
    });
    ended.unwrap_or_else(|error| {
        let title = "the scenario did not run to its end".to_owned();
        let failure = Failure { title, message: format!("{error:#}"), ..Failure::default() };
        not_run(job, args, Outcome::Failed, failure, start.elapsed().as_secs_f64() * 1e3)
    })
}

/// The summary of a case whose own process has none.
fn not_run(job: &Job, args: &RunArgs, outcome: Outcome, failure: Failure, millis: f64) -> CaseSummary {
    CaseSummary {
        file: job.file.clone(),
        case: job.case.clone(),
        outcome,
        seed: args.options.seed.unwrap_or(job.seed),
        world: args.options.world.to_string(),
        dataplane: args.options.dataplane.to_string(),
        millis,
        phases: Default::default(),
        steps: Vec::new(),
        variables: Default::default(),
        measures: Default::default(),
        failure: Some(failure),
        artifacts: artifacts::folder(&args.options.artifacts, &job.case),
    }
}

fn spawn(job: &Job, args: &RunArgs) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe().context("finding the dzsim program")?);
    command.arg("scenario").arg(&job.file).args(["--case", &job.case]);
    options(&mut command, &args.options);
    if args.pause_on_failure {
        command.arg("--pause-on-failure");
    }
    command.stdin(if args.pause_on_failure { Stdio::inherit() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    dzsim_lab::bind_to_me(&mut command);
    command.spawn().context("starting the scenario's process")
}

/// Passes the options on to a scenario's process.
pub fn options(command: &mut Command, options: &RunOptions) {
    let RunOptions {
        change,
        world,
        dataplane,
        seed,
        artifacts,
        snaplen,
        capture_last,
        snapshots,
        record_snapshots,
        update_snapshots,
    } = options;
    command.args(change.as_options());
    if let Some(bytes) = snaplen {
        command.args(["--snaplen", &bytes.to_string()]);
    }
    if let Some(packets) = capture_last {
        command.args(["--capture-last", &packets.to_string()]);
    }
    command.args(["--world", &world.to_string()]);
    command.args(["--dataplane", &dataplane.to_string()]).arg("--artifacts").arg(artifacts);
    command.arg("--snapshots").arg(snapshots);
    if *record_snapshots {
        command.arg("--record-snapshots");
    }
    if *update_snapshots {
        command.arg("--update-snapshots");
    }
    if let Some(seed) = seed {
        command.args(["--seed", &seed.to_string()]);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn as_many_jobs_run_at_the_same_time_as_there_are_workers() {
        let (arrive, arrived) = mpsc::channel();
        thread::scope(|scope| {
            let work = move |open: mpsc::Receiver<()>| {
                arrive.send(()).unwrap();
                // Nobody sends: it ends when the test lets go of the other end.
                let _ = open.recv_timeout(Duration::from_secs(20));
            };
            let (doors, jobs): (Vec<_>, Vec<_>) = (0..5).map(|_| mpsc::channel()).unzip();
            side_by_side(scope, 3, jobs, work);
            for _ in 0..3 {
                arrived.recv_timeout(Duration::from_secs(10)).unwrap();
            }
            assert_eq!(arrived.try_recv(), Err(mpsc::TryRecvError::Empty));
            drop(doors);
            for _ in 0..2 {
                arrived.recv_timeout(Duration::from_secs(10)).unwrap();
            }
        });
    }
}

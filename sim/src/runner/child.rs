//! One case in a process of its own.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::Job;
use crate::{
    cli::RunOptions,
    environment,
    exit::Exit,
    run::{
        artifacts, limits,
        protocol::{CaseSummary, Failure, Outcome, Progress},
        world::Kind,
    },
    this_program,
};

/// The processes of the cases that are under way. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Children(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By pid: the case, of which there can be several processes, and what ends it in good order when it is closed.
    running: BTreeMap<Pid, (String, Option<ChildStdin>)>,
    /// Whether nothing is to be started any more.
    ended: bool,
}

impl Children {
    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks one to end in good order, or to go on to its end after it was held.
    pub fn release(&self, case: &str) {
        self.locked().of_case(case).for_each(|stdin| *stdin = None);
    }

    /// Says a line to one. One that has ended hears nothing, which is no fault of the caller's.
    pub fn say(&self, case: &str, line: &str) {
        for stdin in self.locked().of_case(case).flatten() {
            let _ = writeln!(stdin, "{line}");
        }
    }

    /// Asks all to end in good order, and starts no more.
    pub fn end(&self) {
        let mut state = self.locked();
        state.ended = true;
        state.running.values_mut().for_each(|(_, stdin)| *stdin = None);
    }

    /// Kills all of them. The kernel then ends whatever is in their labs.
    pub fn kill(&self) {
        for pid in self.locked().running.keys() {
            // It is not reaped while it is among the running, so the pid is its own.
            let _ = kill(*pid, Signal::SIGKILL);
        }
    }

    /// Starts a case's process, unless all were asked to end.
    fn start(&self, case: &str, mut command: Command) -> anyhow::Result<Option<Child>> {
        let mut state = self.locked();
        if state.ended {
            return Ok(None);
        }
        let mut child = command.spawn().context("starting the scenario's process")?;
        state.running.insert(pid(&child), (case.to_owned(), child.stdin.take()));
        Ok(Some(child))
    }

    fn reap(&self, child: &mut Child) -> io::Result<ExitStatus> {
        self.locked().running.remove(&pid(child));
        child.wait()
    }
}

impl State {
    fn of_case(&mut self, case: &str) -> impl Iterator<Item = &mut Option<ChildStdin>> {
        self.running.values_mut().filter(move |(of, _)| of == case).map(|(_, stdin)| stdin)
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// How a case is run, beside its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The steps, then the end.
    Steps,
    /// The steps, and after a failure the network is held.
    HoldOnFailure,
    /// The network is held instead of running the steps.
    Hold,
    /// The steps before this one; then the network is held, or in virtual time looked at from inside.
    StopBefore {
        /// From 1; none to run to the end.
        step: Option<usize>,
        /// Whether each event is waited for.
        one_by_one: bool,
    },
}

/// Runs one case and passes on all that its process reports but the summary, which it returns.
pub fn run(
    job: &Job,
    options: &RunOptions,
    mode: Mode,
    children: &Children,
    mut report: impl FnMut(Progress),
) -> CaseSummary {
    if let Some(only) = job.only_in.as_ref().filter(|only| Kind::from(only.world) != options.world) {
        let message = format!("it can be run in the {} world only: {}", only.world, only.because);
        return CaseSummary {
            failure: Some(Failure { message, ..Failure::default() }),
            ..unfinished(job, options, Outcome::CannotRun)
        };
    }
    let start = Instant::now();
    let started = humantime::format_rfc3339_nanos(std::time::SystemTime::now()).to_string();
    let mut steps = Vec::new();
    let attended = attend(job, options, mode, children, |progress| {
        if let Progress::StepDone(step) = &progress {
            steps.push(step.clone());
        }
        report(progress);
    });
    attended.unwrap_or_else(|error| CaseSummary {
        started,
        steps,
        millis: start.elapsed().as_secs_f64() * 1e3,
        failure: Some(Failure { message: format!("{error:#}"), ..Failure::default() }),
        ..unfinished(job, options, Outcome::CannotRun)
    })
}

/// The summary of a case whose turn came after the run was asked to end.
pub(super) fn not_begun(job: &Job, options: &RunOptions) -> CaseSummary {
    let message = "the run was interrupted before it began".to_owned();
    CaseSummary {
        failure: Some(Failure { message, ..Failure::default() }),
        ..unfinished(job, options, Outcome::NotRun)
    }
}

/// The summary of a case of which nothing is known.
fn unfinished(job: &Job, options: &RunOptions, outcome: Outcome) -> CaseSummary {
    CaseSummary {
        file: job.file.clone(),
        case: job.case.clone(),
        outcome,
        seed: options.seed.unwrap_or(job.seed),
        started: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        world: options.world.to_string(),
        dataplane: options.dataplane.to_string(),
        dataplane_used: None,
        millis: 0.0,
        phases: BTreeMap::new(),
        step_count: job.steps,
        steps: Vec::new(),
        variables: BTreeMap::new(),
        measures: BTreeMap::new(),
        failure: None,
        stderr: String::new(),
        artifacts: artifacts::folder(&options.artifacts, &job.case),
    }
}

fn attend(
    job: &Job,
    options: &RunOptions,
    mode: Mode,
    children: &Children,
    mut report: impl FnMut(Progress),
) -> anyhow::Result<CaseSummary> {
    let Some(mut child) = children.start(&job.case, command(job, options, mode)?)? else {
        return Ok(not_begun(job, options));
    };
    // Read beside the other stream: a pipe that nobody reads stops its writer.
    let errors = child.stderr.take().map(|mut stderr| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
        })
    });
    let mut summary = None;
    let mut broken = None;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            match line.map_err(anyhow::Error::from).and_then(|line| Ok(serde_json::from_str(&line)?)) {
                Ok(Progress::Finished(finished)) => summary = Some(*finished),
                Ok(progress) => report(progress),
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
    }
    if broken.is_some() {
        // It is not reaped yet; one that has ended needs no kill.
        let _ = child.kill();
    }
    let status = children.reap(&mut child)?;
    let errors = match errors.map(thread::JoinHandle::join) {
        Some(Ok(text)) => text?,
        _ => String::new(),
    };
    if let Some(error) = broken {
        return Err(error.context("the scenario's process wrote something unexpected"));
    }
    match summary {
        Some(summary) => Ok(CaseSummary { stderr: errors, ..summary }),
        None => anyhow::bail!(last_words(status, errors.trim_end())),
    }
}

/// Why a process has left no summary: its own error if it gave up, or how it ended with all that it wrote.
fn last_words(status: ExitStatus, errors: &str) -> String {
    let gave_up = status.code() == Some(Exit::CannotRun as i32);
    match errors.find("error: ").filter(|at| gave_up && (*at == 0 || errors[..*at].ends_with('\n'))) {
        Some(at) => {
            let error = &errors[at + "error: ".len()..];
            // Where a file is named, the error says what is full.
            let limit = limits::of(error).filter(|_| !error.starts_with("writing "));
            limit.map_or_else(String::new, |limit| format!("{limit}: ")) + error
        }
        None => format!("the scenario's process ended with {status}\n{errors}"),
    }
}

/// The command of a scenario's process. Its standard input is the sign to go on: the process ends in good order when it
/// is closed.
fn command(job: &Job, options: &RunOptions, mode: Mode) -> anyhow::Result<Command> {
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
        bug,
        keep,
        without,
    } = options;
    let mut command = Command::new(this_program::path().context("finding the dzsim program")?);
    command.arg("scenario").arg(&job.file).args(["--case", &job.case]);
    if let Some(called) = &job.called {
        command.arg("--called").arg(called);
    }
    command.args(change.as_options());
    command.args(["--world", &world.to_string()]);
    command.args(["--dataplane", &dataplane.to_string()]).arg("--artifacts").arg(artifacts);
    let mut number = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            command.args([name, &value]);
        }
    };
    number("--seed", seed.map(|seed| seed.to_string()));
    number("--snaplen", snaplen.map(|bytes| bytes.to_string()));
    number("--bug", bug.map(|bug| bug.to_string()));
    number("--capture-last", capture_last.map(|packets| packets.to_string()));
    number("--without", without.map(|place| place.to_string()));
    if let Some(folder) = snapshots {
        command.arg("--snapshots").arg(folder);
    }
    let flags = [
        ("--record-snapshots", *record_snapshots),
        ("--update-snapshots", *update_snapshots),
        ("--keep", *keep),
        ("--hold", mode == Mode::Hold),
        ("--pause-on-failure", mode == Mode::HoldOnFailure),
    ];
    if let Mode::StopBefore { step, one_by_one } = mode {
        command.args(step.map(|step| format!("--stop-before={step}"))).args(one_by_one.then_some("--one-by-one"));
    }
    command.args(flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    environment::clean(&mut command);
    // A terminal's Ctrl-C is for this process alone, which then ends the others.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    dzsim_lab::bind_to_me(&mut command);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt,
        path::{Path, PathBuf},
    };

    use super::*;

    #[test]
    fn a_case_whose_turn_comes_after_the_end_is_not_run() {
        let options = RunOptions::new(Kind::Virtual, Path::new("artifacts"));
        let (file, case) = (PathBuf::from("topic/quiet.yaml"), "topic/quiet".to_owned());
        let job = Job { file, called: None, case, seed: 1, steps: 1, only_in: None };
        let children = Children::default();
        children.end();
        let summary = run(&job, &options, Mode::Steps, &children, |_| panic!("it was begun"));
        assert_eq!(summary.outcome, Outcome::NotRun);
        assert_eq!(summary.failure.unwrap().message, "the run was interrupted before it began");
    }

    #[test]
    fn a_process_that_gave_up_says_why_itself() {
        let gave_up = ExitStatus::from_raw(3 << 8);
        assert_eq!(last_words(gave_up, "a line of a log\nerror: in use by another run"), "in use by another run");
        let files = "Too many open files (os error 24)";
        let hint = limits::of(files).unwrap();
        assert_eq!(last_words(gave_up, &format!("error: {files}")), format!("{hint}: {files}"));
        let full = "writing /a/chain.json: No space left on device (os error 28)";
        assert_eq!(last_words(gave_up, &format!("error: {full}")), full);
        let killed = ExitStatus::from_raw(9);
        assert_eq!(
            last_words(killed, "error: what it said"),
            "the scenario's process ended with signal: 9 (SIGKILL)\nerror: what it said"
        );
    }
}

//! Runs cases: each in a process of its own, a few at a time, and reports them.

mod child;
mod queue;

use std::{
    io::{self, BufRead},
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use dzsim_scenario::plan::OnlyIn;

use crate::{
    cli::RunArgs,
    exit::{Error, Exit},
    interrupt,
    report::Reports,
    run::protocol::{CaseSummary, Outcome, Progress},
};

pub use child::{Children, Mode, run as run_one};
use queue::Queue;

/// How often a report may show that time passes.
const TICK: Duration = Duration::from_millis(100);

/// A case to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario file.
    pub file: PathBuf,
    /// Name of the file in reports, if not its path.
    pub called: Option<PathBuf>,
    /// The case in it.
    pub case: String,
    /// The seed it states for itself.
    pub seed: u64,
    /// How many steps it has.
    pub steps: usize,
    /// The only world that it can be run in, if it is not both.
    pub only_in: Option<OnlyIn>,
}

/// What the thread that reports waits for.
enum Event {
    Started(String),
    Progress(String, Progress),
    Finished(Box<CaseSummary>),
    Signal(Exit),
}

/// Scenarios at a time. In real time they wait more than they work: with two for each processor half of two processors was idle
/// in a release build and a fifth in a debug build.
const FOR_EACH_PROCESSOR: usize = 3;

/// Runs the jobs and reports; the worst outcome decides the exit code.
///
/// # Errors
/// A report cannot be written.
pub fn run(jobs: Vec<Job>, args: &RunArgs) -> Result<Exit, Error> {
    let mut run = Run {
        start: Instant::now(),
        reports: Reports::new(args, jobs.len())?,
        children: Children::default(),
        summaries: Vec::new(),
        ended_by: None,
    };
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    let workers = args.jobs.unwrap_or_else(|| FOR_EACH_PROCESSOR * processors()).max(1);
    // Only one network can own the terminal while it is held.
    let (workers, mode) = if args.pause_on_failure { (1, Mode::HoldOnFailure) } else { (workers, Mode::Steps) };
    let (send, events) = mpsc::channel();
    let signals = send.clone();
    interrupt::watch(move |exit| drop(signals.send(Event::Signal(exit))))?;
    let total = jobs.len();
    let children = run.children.clone();
    thread::scope(|scope| {
        let work = move |job: Job| {
            // The receiver outlives the workers.
            let tell = |event| drop(send.send(event));
            tell(Event::Started(job.case.clone()));
            let summary = run_one(&job, &args.options, mode, &children, |progress| {
                tell(Event::Progress(job.case.clone(), progress));
            });
            tell(Event::Finished(Box::new(summary)));
        };
        let queue = Queue::start(scope, workers, jobs, work);
        while run.summaries.len() < total {
            match events.recv_timeout(TICK) {
                Ok(event) => run.handle(event, &queue, args),
                Err(RecvTimeoutError::Timeout) => run.tick(),
                // A worker that panicked took its job with it; the scope passes the panic on.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if run.reports.stdout_failed() && run.ended_by.is_none() {
                run.end(Exit::ReaderGone, &queue, args);
            }
        }
    });
    run.finish()
}

/// A run under way.
struct Run {
    start: Instant,
    reports: Reports,
    children: Children,
    summaries: Vec<CaseSummary>,
    /// What ended it early.
    ended_by: Option<Exit>,
}

impl Run {
    fn tick(&mut self) {
        let at = self.start.elapsed();
        self.reports.each(|report| report.tick(at));
    }

    fn handle(&mut self, event: Event, queue: &Queue<Job>, args: &RunArgs) {
        let at = self.start.elapsed();
        match event {
            Event::Started(case) => self.reports.each(|report| report.started(&case, at)),
            Event::Progress(case, progress) => {
                self.reports.each(|report| report.progress(&case, &progress, at));
                if matches!(progress, Progress::Held { .. }) {
                    self.release_on_enter(case);
                }
            }
            Event::Finished(summary) => {
                let case = summary.case.clone();
                let finished = Progress::Finished(summary);
                self.reports.each(|report| report.progress(&case, &finished, at));
                if let Progress::Finished(summary) = finished {
                    self.summaries.push(*summary);
                }
            }
            Event::Signal(_) if self.ended_by.is_some() => self.children.kill(),
            Event::Signal(exit) => {
                self.reports.each(|report| report.interrupted());
                self.end(exit, queue, args);
            }
        }
    }

    /// Starts nothing more and asks what is under way to end. What was not begun is not run.
    fn end(&mut self, exit: Exit, queue: &Queue<Job>, args: &RunArgs) {
        self.ended_by = Some(exit);
        self.children.end();
        self.summaries.extend(queue.drain().iter().map(|job| child::not_begun(job, &args.options)));
    }

    fn release_on_enter(&self, case: String) {
        let children = self.children.clone();
        // It is left behind if the run is interrupted before.
        thread::spawn(move || {
            let _ = io::stdin().lock().read_line(&mut String::new());
            children.release(&case);
        });
    }

    fn finish(mut self) -> Result<Exit, Error> {
        self.summaries.sort_by(|a, b| a.case.cmp(&b.case));
        let took = self.start.elapsed();
        let summaries = &self.summaries;
        self.reports.each(|report| report.finished(summaries, took));
        self.reports.end()?;
        let worst = self.summaries.iter().map(|summary| match summary.outcome {
            Outcome::Passed | Outcome::NotRun => Exit::Passed,
            Outcome::Failed => Exit::Failed,
            Outcome::TooSlow | Outcome::CannotRun => Exit::CannotRun,
        });
        Ok(self.ended_by.or_else(|| worst.max()).unwrap_or(Exit::Passed))
    }
}

//! Lines for people: the steps of a case that runs alone, one line a case when several run, and on a terminal a last
//! line with what is waited for.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use super::{Report, failure};
use crate::{
    run::protocol::{CaseSummary, Outcome, Progress},
    terminal::{BAD, FAINT, GOOD, NEITHER, STRONG, Terminal},
};

/// A wait shorter than this is not worth a line.
const PATIENCE: Duration = Duration::from_millis(300);

/// Writes lines for people.
pub struct Human<W> {
    out: W,
    terminal: Terminal,
    /// Cases in the run; the steps are shown only when there is one.
    cases: usize,
    done: usize,
    running: BTreeMap<String, Under>,
    /// Whether the last line on the terminal is to be written over.
    pending: bool,
    /// The case whose failure has been shown, because its network was held.
    explained: Option<String>,
}

/// A case that is under way.
struct Under {
    /// What it is doing.
    doing: String,
    /// The step and how many there are, once they begin.
    step: usize,
    steps: usize,
    /// Since when it does that.
    since: Duration,
}

impl Under {
    /// `step 3 of 11`, or nothing before the first.
    fn position(&self) -> String {
        if self.step == 0 { String::new() } else { format!("step {} of {}: ", self.step, self.steps) }
    }
}

impl<W: Write> Human<W> {
    /// Writes to `out`, which is such a terminal, about this many cases.
    pub fn new(out: W, terminal: Terminal, cases: usize) -> Self {
        Self { out, terminal, cases, done: 0, running: BTreeMap::new(), pending: false, explained: None }
    }

    fn alone(&self) -> bool {
        self.cases == 1
    }

    /// A line that stays.
    fn line(&mut self, line: &str) -> io::Result<()> {
        if std::mem::take(&mut self.pending) {
            write!(self.out, "\r\x1b[K")?;
        }
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// The line of what is waited for.
    fn wait(&mut self, at: Duration) -> io::Result<()> {
        // The one that has waited longest is what the run is waiting for.
        let Some((case, under)) = self.running.iter().min_by_key(|(_, under)| under.since) else { return Ok(()) };
        let waited = at.saturating_sub(under.since);
        if !self.terminal.live || waited < PATIENCE {
            return Ok(());
        }
        let time = format!("  {:.1} s", waited.as_secs_f64());
        let what = match self.alone() {
            true => format!("  {}{}", under.position(), under.doing),
            false => format!(
                "  {} of {} done, {} running; {case} {}{}",
                self.done,
                self.cases,
                self.running.len(),
                under.position(),
                under.doing
            ),
        };
        let what = self.terminal.fit(&what, time.chars().count() + 1);
        let text = self.terminal.paint(FAINT, &format!("{what}{time}"));
        write!(self.out, "\r\x1b[K{text}")?;
        self.pending = true;
        self.out.flush()
    }

    fn ended(&mut self, summary: &CaseSummary) -> io::Result<()> {
        self.done += 1;
        let CaseSummary { case, outcome, millis, steps, step_count, .. } = summary;
        let style = match outcome {
            Outcome::Passed => GOOD,
            Outcome::Failed => BAD,
            Outcome::TooSlow | Outcome::CannotRun | Outcome::NotRun => NEITHER,
        };
        let width = self.cases.to_string().len();
        let number = match self.alone() {
            true => String::new(),
            false => format!("{:>width$}/{}  ", self.done, self.cases),
        };
        let word = outcome.words();
        let held = match outcome {
            Outcome::Passed => format!("{step_count} steps"),
            _ => format!("{} of {step_count} steps", steps.len()),
        };
        let time = format!("  {held}, {}", time(*millis));
        let name = self.terminal.fit(case, number.len() + word.len() + 2 + time.len());
        self.line(&format!(
            "{number}{}  {name}{}",
            self.terminal.paint(style, word),
            self.terminal.paint(FAINT, &time)
        ))?;
        match &summary.failure {
            Some(failure) if *outcome != Outcome::NotRun => {
                let explained = self.explained.as_ref() == Some(case);
                let reason =
                    if explained { String::new() } else { failure::on_a_screen(summary, failure, self.terminal) };
                let places = failure::places(summary, self.terminal);
                self.line(&format!("\n{reason}{places}"))
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, number: usize, of: usize, millis: f64, title: &str) -> io::Result<()> {
        let width = of.to_string().len();
        let number = self.terminal.paint(FAINT, &format!("{number:>width$}/{of}"));
        let time = format!("{:>9}", time(millis));
        let title = self.terminal.fit(title, 2 * width + 1 + 4 + time.len());
        self.line(&format!("{number}  {time}  {title}"))
    }
}

/// A length of time in three digits or so.
fn time(millis: f64) -> String {
    if millis < 10_000.0 { format!("{millis:.0} ms") } else { format!("{:.1} s", millis / 1e3) }
}

impl<W: Write> Report for Human<W> {
    fn started(&mut self, case: &str, at: Duration) -> io::Result<()> {
        let under = Under { doing: "bringing the network up".to_owned(), step: 0, steps: 0, since: at };
        self.running.insert(case.to_owned(), under);
        if self.alone() {
            let name = self.terminal.paint(STRONG, case);
            self.line(&name)?;
        }
        Ok(())
    }

    fn progress(&mut self, case: &str, progress: &Progress, at: Duration) -> io::Result<()> {
        let mut steps = 0;
        if let Some(under) = self.running.get_mut(case) {
            match progress {
                Progress::Up { steps, .. } => (under.steps, under.since) = (*steps, at),
                Progress::Step { number, title } => {
                    (under.step, under.doing, under.since) = (*number, title.clone(), at);
                }
                _ => {}
            }
            steps = under.steps;
        }
        match progress {
            Progress::Up { millis, .. } if self.alone() => self.step(0, steps, *millis, "network up"),
            Progress::StepDone(step) if self.alone() => {
                self.step(step.number, steps, step.millis + step.oracle_millis, &step.title)
            }
            Progress::Finished(summary) => {
                self.running.remove(case);
                self.ended(summary)
            }
            Progress::Held { nodes, summary } => {
                self.running.remove(case);
                if let Some(summary) = summary
                    && let Some(failure) = &summary.failure
                {
                    let text = failure::on_a_screen(summary, failure, self.terminal);
                    self.line(&format!("\n{text}"))?;
                    self.explained = Some(case.to_owned());
                }
                self.line(&format!("the network is held: {}", nodes.join(" ")))?;
                self.line("`dzsim exec NODE [COMMAND]` from another shell; Enter here ends it")
            }
            Progress::Up { .. } | Progress::Step { .. } | Progress::StepDone(_) => Ok(()),
            // A replay's, which is no report.
            Progress::Asks { .. } | Progress::Answer { .. } | Progress::Event { .. } => Ok(()),
        }
    }

    fn tick(&mut self, at: Duration) -> io::Result<()> {
        self.wait(at)
    }

    fn interrupted(&mut self) -> io::Result<()> {
        let running = self.running.len();
        self.line(&format!("interrupted: ending {running} running; once more ends them at once"))
    }

    fn finished(&mut self, cases: &[CaseSummary], took: Duration) -> io::Result<()> {
        let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
        let part = |outcome, style| (count(outcome), style, Outcome::words(outcome));
        let parts = [
            part(Outcome::Passed, GOOD),
            part(Outcome::Failed, BAD),
            part(Outcome::TooSlow, NEITHER),
            part(Outcome::CannotRun, NEITHER),
            part(Outcome::NotRun, NEITHER),
        ];
        let shown: Vec<String> = parts
            .into_iter()
            .enumerate()
            // The first two are always there: how many failed is the question, also when none did.
            .filter(|(index, (count, ..))| *index < 2 || *count > 0)
            .map(|(_, (count, style, words))| {
                let text = format!("{count} {words}");
                if count > 0 { self.terminal.paint(style, &text) } else { text }
            })
            .collect();
        self.line(&format!("{} in {:.1} s", shown.join(", "), took.as_secs_f64()))
    }
}

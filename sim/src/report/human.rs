//! Lines for people: the steps of a case while it runs alone, one line a case when several run.

use std::io::{self, Write};

use super::{Report, again};
use crate::run::protocol::{CaseSummary, Failure, Outcome, Progress};

/// Writes lines for people.
pub struct Human<W> {
    out: W,
    /// Cases in the run; the steps are shown only when there is one.
    cases: usize,
}

impl<W: Write> Human<W> {
    /// Writes to `out` about this many cases.
    pub fn new(out: W, cases: usize) -> Self {
        Self { out, cases }
    }

    fn ended(&mut self, summary: &CaseSummary) -> io::Result<()> {
        let CaseSummary { case, outcome, millis, steps, .. } = summary;
        writeln!(self.out, "{outcome:>6}  {case}  {} steps, {millis:.0} ms", steps.len())?;
        if let Some(failure) = &summary.failure {
            self.failure(summary, failure)?;
        }
        Ok(())
    }

    fn failure(&mut self, summary: &CaseSummary, failure: &Failure) -> io::Result<()> {
        let out = &mut self.out;
        match failure.step {
            Some(step) => {
                writeln!(out, "\n  step {step} ({}:{}): {}", summary.file.display(), failure.line, failure.title)?
            }
            None => writeln!(out, "\n  {}", failure.title)?,
        }
        indented(out, "    ", &failure.message)?;
        if let (Some(expected), Some(actual)) = (&failure.expected, &failure.actual) {
            writeln!(out, "    expected:")?;
            indented(out, "      ", expected)?;
            writeln!(out, "    actual:")?;
            indented(out, "      ", actual)?;
        }
        if !failure.oracle.is_empty() {
            writeln!(out, "    the oracle:")?;
            for line in &failure.oracle {
                indented(out, "      ", line)?;
            }
        }
        for (log, lines) in &failure.logs {
            writeln!(out, "    last of logs/{log}:")?;
            for line in lines {
                indented(out, "      ", line)?;
            }
        }
        writeln!(out, "    artifacts: {}", summary.artifacts.display())?;
        writeln!(out, "    again:     {}\n", again(summary))
    }
}

fn indented(out: &mut impl Write, indent: &str, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "{indent}{line}"))
}

impl<W: Write> Report for Human<W> {
    fn started(&mut self, case: &str) -> io::Result<()> {
        if self.cases == 1 { writeln!(self.out, "{case}") } else { Ok(()) }
    }

    fn progress(&mut self, _case: &str, progress: &Progress) -> io::Result<()> {
        match progress {
            Progress::Up { millis } if self.cases == 1 => writeln!(self.out, "  {millis:>6.0} ms  network up"),
            Progress::StepDone(step) if self.cases == 1 => {
                writeln!(self.out, "  {:>6.0} ms  {}", step.millis + step.oracle_millis, step.title)
            }
            Progress::Finished(summary) => self.ended(summary),
            Progress::Held { nodes } => {
                writeln!(self.out, "the network is held: {}", nodes.join(" "))?;
                writeln!(self.out, "`dzsim exec NODE [COMMAND]` from another shell; Enter here ends it")
            }
            Progress::Up { .. } | Progress::Step { .. } | Progress::StepDone(_) => Ok(()),
        }
    }

    fn finished(&mut self, cases: &[CaseSummary], millis: f64) -> io::Result<()> {
        let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
        let (passed, failed, cannot) = (count(Outcome::Passed), count(Outcome::Failed), count(Outcome::CannotRun));
        write!(self.out, "{passed} passed, {failed} failed")?;
        if cannot > 0 {
            write!(self.out, ", {cannot} cannot run here")?;
        }
        writeln!(self.out, " in {:.1} s", millis / 1e3)
    }
}

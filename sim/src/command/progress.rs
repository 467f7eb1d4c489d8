//! Progress of a long command on standard error: at a terminal one line that changes, in a log a line now and then.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// How often a log gets a line at least.
const PAUSE: Duration = Duration::from_secs(10);

/// The progress of one command.
#[derive(Debug)]
pub(super) struct Progress {
    /// What is counted, such as "histories passed".
    what: &'static str,
    /// How many there will be, where that is known.
    of: Option<u64>,
    live: bool,
    start: Instant,
    tenths: u64,
    at: Duration,
}

impl Progress {
    /// Of something that begins now.
    pub(super) fn new(what: &'static str, of: Option<u64>) -> Self {
        let live = std::io::stderr().is_terminal();
        Self { what, of, live, start: Instant::now(), tenths: 0, at: Duration::ZERO }
    }

    /// Shows how many are done.
    pub(super) fn show(&mut self, done: u64) {
        let line = match self.live {
            true => Some(format!("\r{}", self.count(done))),
            false => self.line(done, self.start.elapsed()),
        };
        // Nobody has to see it.
        let _ = line.map(|line| write!(std::io::stderr(), "{line}"));
    }

    /// Takes the line of a terminal back, so that something else can be said on it.
    pub(super) fn clear(&self) {
        if self.live {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn count(&self, done: u64) -> String {
        match self.of {
            Some(of) => format!("{done} of {of} {}", self.what),
            None => format!("{done} {}", self.what),
        }
    }

    /// What a log has: a line each 10 s or each tenth, whichever is first.
    fn line(&mut self, done: u64, at: Duration) -> Option<String> {
        let tenths = self.of.map_or(0, |of| done.saturating_mul(10) / of.max(1));
        if tenths == self.tenths && at < self.at + PAUSE {
            return None;
        }
        (self.tenths, self.at) = (tenths, at);
        Some(format!("{} in {} s\n", self.count(done), at.as_secs()))
    }
}

/// The last count does not stay between the command's answers.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_a_line_each_tenth_and_each_ten_seconds() {
        let mut progress = Progress { live: false, ..Progress::new("histories passed", Some(1_000)) };
        let mut line = |done, seconds| progress.line(done, Duration::from_secs(seconds));
        assert_eq!(line(64, 1), None);
        assert_eq!(line(128, 2).as_deref(), Some("128 of 1000 histories passed in 2 s\n"));
        assert_eq!(line(192, 11), None);
        assert_eq!(line(193, 12).as_deref(), Some("193 of 1000 histories passed in 12 s\n"));
        assert_eq!(line(1_000, 13).as_deref(), Some("1000 of 1000 histories passed in 13 s\n"));
    }

    #[test]
    fn without_a_total_a_log_gets_a_line_each_ten_seconds() {
        let mut progress = Progress { live: false, ..Progress::new("runs done", None) };
        assert_eq!(progress.line(500, Duration::from_secs(9)), None);
        assert_eq!(progress.line(600, Duration::from_secs(10)).as_deref(), Some("600 runs done in 10 s\n"));
    }
}

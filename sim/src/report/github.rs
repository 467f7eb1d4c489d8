//! Annotations of GitHub Actions: a failure shows at its line in the pull request.

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{Report, failure};
use crate::{
    run::protocol::{CaseSummary, Outcome},
    terminal::Terminal,
};

/// Writes an annotation for each case that did not pass.
pub struct Github<W> {
    out: W,
}

impl<W: Write> Github<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Report for Github<W> {
    fn finished(&mut self, cases: &[CaseSummary], _took: Duration) -> io::Result<()> {
        for summary in cases {
            let Some(why) = &summary.failure else { continue };
            let level = if summary.outcome == Outcome::NotRun { "warning" } else { "error" };
            let text = failure::reason(summary, why, Terminal::NONE);
            let title = format!("{} {}", summary.outcome.words(), summary.case);
            writeln!(
                self.out,
                "{}",
                annotation(level, &summary.file.to_string_lossy(), why.line, None, &title, &text)
            )?;
        }
        self.out.flush()
    }
}

/// A workflow command that marks a line of a file. A line of 0 marks the file.
pub fn annotation(level: &str, file: &str, line: usize, column: Option<usize>, title: &str, text: &str) -> String {
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    let mut place = format!("file={}", property(file));
    if line > 0 {
        place.push_str(&format!(",line={line}"));
    }
    if let Some(column) = column {
        place.push_str(&format!(",col={column}"));
    }
    format!("::{level} {place},title={}::{}", property(title), escaped(text.trim_end()))
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

//! A failure as text: the step's own line, expected beside actual, what the oracle saw, and the log.

use dzsim_scenario::Diagnostic;

use crate::{
    run::{
        artifacts::SUMMARY,
        logs::LogLine,
        protocol::{CaseSummary, Failure},
        relevance,
    },
    terminal::{BAD, FAINT, GOOD, NEITHER, STRONG, Terminal},
};

/// Lines of a failure for people, whatever the size of the network: the cause and its places fit on a screen.
const SCREEN: usize = 40;
/// Lines of each of its parts there; of several differences together twice as many.
const PART: usize = 8;
/// Lines of the log there, however long the other parts are.
const LOG: usize = 8;

/// What went wrong, whole and without where the artifacts are: for a report in a file.
pub(super) fn reason(summary: &CaseSummary, failure: &Failure, terminal: Terminal) -> String {
    text(summary, failure, terminal, None)
}

/// The same for people: of what is long its beginning, and of the log the lines that matter most.
pub(super) fn on_a_screen(summary: &CaseSummary, failure: &Failure, terminal: Terminal) -> String {
    text(summary, failure, terminal, Some(PART))
}

fn text(summary: &CaseSummary, failure: &Failure, terminal: Terminal, part: Option<usize>) -> String {
    let mut text = Text { terminal, part, out: String::new() };
    text.place(summary, failure);
    text.lines(failure.message.lines().skip(1).map(str::to_owned));
    if let Some(expected) = &failure.expected {
        text.block(&terminal.paint(GOOD, "expected"), expected);
    }
    if let Some(actual) = &failure.actual {
        text.block(&terminal.paint(BAD, "actual"), actual);
    }
    text.part = part.map(|lines| lines.min(2 * lines / failure.differences.len().max(1)).max(1));
    for difference in &failure.differences {
        text.line(0, &terminal.paint(STRONG, &difference.of));
        text.lines(difference.lines.lines().map(|line| match line.chars().next() {
            Some('-') => terminal.paint(GOOD, line),
            Some('+') => terminal.paint(BAD, line),
            _ => line.to_owned(),
        }));
    }
    text.part = part;
    if !failure.oracle.is_empty() {
        text.block(&terminal.paint(BAD, "the oracle"), &failure.oracle.join("\n"));
    }
    if !summary.stderr.trim().is_empty() {
        text.block(&terminal.paint(STRONG, "standard error of the run"), &summary.stderr);
    }
    if !failure.logs.is_empty() {
        text.logs(failure);
    }
    text.out
}

/// Where the artifacts are, and how to run the case again.
pub(super) fn places(summary: &CaseSummary, terminal: Terminal) -> String {
    let name = |name| terminal.paint(STRONG, name);
    format!("{}  {}\n{}      {}\n", name("artifacts"), super::near(&summary.artifacts), name("again"), summary.again())
}

/// The lines of a log's line that are shown: where parts are cut, the first and what it leads to.
fn message(line: &LogLine, part: Option<usize>) -> impl Iterator<Item = &str> {
    line.message.lines().take(part.map_or(usize::MAX, |_| 2))
}

struct Text {
    terminal: Terminal,
    /// How many lines of a part are shown; all if none.
    part: Option<usize>,
    out: String,
}

impl Text {
    fn line(&mut self, indent: usize, line: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn block(&mut self, title: &str, text: &str) {
        self.line(0, title);
        self.lines(text.trim_end().lines().map(str::to_owned));
    }

    /// The lines of a part, and where the rest is if there are more than are shown.
    fn lines(&mut self, lines: impl IntoIterator<Item = String>) {
        let mut lines: Vec<String> = lines.into_iter().collect();
        let shown = self.part.filter(|shown| lines.len() > shown + 1).unwrap_or(lines.len());
        let rest = lines.split_off(shown).len();
        lines.iter().for_each(|line| self.line(2, line));
        if rest > 0 {
            self.line(2, &self.terminal.paint(FAINT, &format!("{rest} more lines are in {SUMMARY}")));
        }
    }

    /// The log, in what is left of a screen.
    fn logs(&mut self, failure: &Failure) {
        let (mut logs, mut left_out) = (failure.logs.clone(), failure.logs_left_out.clone());
        if self.part.is_some() {
            // Beside them: the title of the log, the line about the rest, and the places.
            let most = SCREEN.saturating_sub(self.out.lines().count() + 4).max(LOG);
            let chosen = |count| relevance::choose(logs.clone(), &failure.about(), failure.began_ns, count);
            let fits =
                |lines: &[LogLine]| lines.iter().map(|line| message(line, self.part).count()).sum::<usize>() <= most;
            if let Some((fitting, more)) = (1..=most).rev().map(chosen).find(|(lines, _)| fits(lines)) {
                left_out = left_out.with(more);
                logs = fitting;
            }
        }
        self.line(0, &self.terminal.paint(STRONG, "log"));
        let who = logs.iter().map(|line| line.who.chars().count()).max().unwrap_or_default();
        logs.iter().for_each(|line| self.log(line, who));
        if let Some(rest) = left_out.told() {
            self.line(2, &self.terminal.paint(FAINT, &self.terminal.fit(&rest, 2)));
        }
    }

    /// The message at the step's own line.
    fn place(&mut self, summary: &CaseSummary, failure: &Failure) {
        let message = failure.message.lines().next().unwrap_or_default();
        if failure.line == 0 {
            let error = self.terminal.paint(BAD, "error");
            let title = if failure.title.is_empty() { String::new() } else { format!("{}: ", failure.title) };
            return self.line(0, &format!("{error}: {title}{message}"));
        }
        let path = match failure.step {
            Some(step) => format!("step {step} of {}: {}", summary.step_count, failure.title),
            None => failure.title.clone(),
        };
        let indent = failure.source.chars().take_while(|c| c.is_whitespace() || *c == '-').count();
        let diagnostic = Diagnostic {
            file: summary.file.clone(),
            line: failure.line,
            column: indent + 1,
            path,
            value: String::new(),
            message: message.to_owned(),
            help: String::new(),
            snippet: failure.source.clone(),
            length: failure.source.trim_end().chars().count().saturating_sub(indent).max(1),
        };
        self.out.push_str(&diagnostic.render(self.terminal.look()));
        self.out.push('\n');
    }

    fn log(&mut self, line: &LogLine, who: usize) {
        let LogLine { t_ns, who: name, level, .. } = line;
        let style = match level.as_str() {
            "ERROR" => BAD,
            "WARN" => NEITHER,
            _ => FAINT,
        };
        let time = format!("{:>9.3} s", *t_ns as f64 / 1e9);
        let level = self.terminal.paint(style, &format!("{level:<5}"));
        let head = 2 + time.chars().count() + 2 + who + 2 + 5 + 2;
        let mut message = message(line, self.part);
        let first = self.terminal.fit(message.next().unwrap_or_default(), head);
        self.line(2, &format!("{}  {name:<who$}  {level}  {first}", self.terminal.paint(FAINT, &time)));
        for more in message {
            let more = self.terminal.fit(more, head);
            self.line(head, &more);
        }
    }
}

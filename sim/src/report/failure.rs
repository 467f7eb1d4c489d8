//! A failure as text: the step's own line, expected beside actual, what the oracle saw, and the log.

use dzsim_scenario::Diagnostic;

use crate::{
    run::{
        logs::LogLine,
        protocol::{CaseSummary, Failure},
    },
    terminal::{BAD, FAINT, GOOD, NEITHER, STRONG, Terminal},
};

/// What went wrong, without where the artifacts are.
pub(super) fn reason(summary: &CaseSummary, failure: &Failure, terminal: Terminal) -> String {
    let mut text = Text { terminal, out: String::new() };
    text.place(summary, failure);
    let mut more = failure.message.lines().skip(1).peekable();
    if more.peek().is_some() {
        more.for_each(|line| text.line(2, line));
    }
    if let Some(expected) = &failure.expected {
        text.block(&terminal.paint(GOOD, "expected"), expected);
    }
    if let Some(actual) = &failure.actual {
        text.block(&terminal.paint(BAD, "actual"), actual);
    }
    for difference in &failure.differences {
        text.line(0, &terminal.paint(STRONG, &difference.of));
        for line in difference.lines.lines() {
            let style = match line.chars().next() {
                Some('-') => Some(GOOD),
                Some('+') => Some(BAD),
                _ => None,
            };
            text.line(2, &style.map_or_else(|| line.to_owned(), |style| terminal.paint(style, line)));
        }
    }
    if !failure.oracle.is_empty() {
        text.block(&terminal.paint(BAD, "the oracle"), &failure.oracle.join("\n"));
    }
    if !failure.logs.is_empty() {
        text.line(0, &terminal.paint(STRONG, "log"));
        let who = failure.logs.iter().map(|line| line.who.chars().count()).max().unwrap_or_default();
        failure.logs.iter().for_each(|line| text.log(line, who));
        if let Some(rest) = failure.logs_left_out.told() {
            text.line(2, &terminal.paint(FAINT, &terminal.fit(&rest, 2)));
        }
    }
    if !summary.stderr.trim().is_empty() {
        text.block(&terminal.paint(STRONG, "standard error of the run"), &summary.stderr);
    }
    text.out
}

/// Where the artifacts are, and how to run the case again.
pub(super) fn places(summary: &CaseSummary, terminal: Terminal) -> String {
    let name = |name| terminal.paint(STRONG, name);
    format!("{}  {}\n{}      {}\n", name("artifacts"), super::near(&summary.artifacts), name("again"), summary.again())
}

struct Text {
    terminal: Terminal,
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
        text.trim_end().lines().for_each(|line| self.line(2, line));
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
        let LogLine { t_ns, who: name, level, message } = line;
        let style = match level.as_str() {
            "ERROR" => BAD,
            "WARN" => NEITHER,
            _ => FAINT,
        };
        let time = format!("{:>9.3} s", *t_ns as f64 / 1e9);
        let level = self.terminal.paint(style, &format!("{level:<5}"));
        let head = 2 + time.chars().count() + 2 + who + 2 + 5 + 2;
        let mut message = message.lines();
        let first = self.terminal.fit(message.next().unwrap_or_default(), head);
        self.line(2, &format!("{}  {name:<who$}  {level}  {first}", self.terminal.paint(FAINT, &time)));
        for more in message {
            let more = self.terminal.fit(more, head);
            self.line(head, &more);
        }
    }
}

//! One JUnit document at the end, as CI systems read it.

use std::{
    io::{self, Write},
    time::Duration,
};

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Report, failure};
use crate::{
    run::protocol::{CaseSummary, Outcome},
    terminal::Terminal,
};

/// Writes a JUnit document.
pub struct Junit<W> {
    out: W,
}

impl<W: Write> Junit<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

fn case(summary: &CaseSummary) -> TestCase {
    let mut status = match summary.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::NotRun => TestCaseStatus::skipped(),
        Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::TooSlow | Outcome::CannotRun => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if let Some(why) = &summary.failure {
        status.set_message(why.message.lines().next().unwrap_or_default());
        // What a person would read, whole: expected, actual, differences, oracle and log.
        let reason = failure::reason(summary, why, Terminal::NONE);
        status.set_description(format!("{reason}{}", failure::places(summary, Terminal::NONE)));
    }
    let mut case = TestCase::new(summary.case.clone(), status);
    case.set_time(Duration::try_from_secs_f64(summary.millis / 1e3).unwrap_or_default());
    case.set_classname(summary.file.display().to_string());
    if !summary.stderr.is_empty() {
        case.set_system_err(summary.stderr.as_str());
    }
    case
}

impl<W: Write> Report for Junit<W> {
    fn finished(&mut self, cases: &[CaseSummary], took: Duration) -> io::Result<()> {
        let mut suite = TestSuite::new("scenarios");
        suite.set_time(took);
        suite.add_test_cases(cases.iter().map(case));
        let mut document = Document::new("dzsim");
        document.set_time(took);
        document.add_test_suite(suite);
        // In memory first: what the library says of an output that cannot be written lacks the reason.
        let text = document.to_string().map_err(io::Error::other)?;
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

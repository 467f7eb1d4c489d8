//! One JUnit document at the end, as CI systems read it.

use std::{
    io::{self, Write},
    time::Duration,
};

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Report, again};
use crate::run::protocol::{CaseSummary, Outcome, Progress};

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

fn seconds(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default()
}

fn case(summary: &CaseSummary) -> TestCase {
    let status = match (&summary.failure, summary.outcome) {
        (_, Outcome::Passed) => TestCaseStatus::success(),
        (failure, outcome) => {
            let kind = if outcome == Outcome::Failed { NonSuccessKind::Failure } else { NonSuccessKind::Error };
            let mut status = TestCaseStatus::non_success(kind);
            if let Some(failure) = failure {
                status.set_message(failure.message.clone());
                status.set_description(format!(
                    "{}\n{}\n{}\nagain: {}",
                    failure.title,
                    failure.message,
                    failure.oracle.join("\n"),
                    again(summary)
                ));
            }
            status
        }
    };
    let mut case = TestCase::new(summary.case.clone(), status);
    case.set_time(seconds(summary.millis));
    case.set_classname(summary.file.display().to_string());
    case
}

impl<W: Write> Report for Junit<W> {
    fn started(&mut self, _case: &str) -> io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _case: &str, _progress: &Progress) -> io::Result<()> {
        Ok(())
    }

    fn finished(&mut self, cases: &[CaseSummary], millis: f64) -> io::Result<()> {
        let mut suite = TestSuite::new("scenarios");
        suite.set_time(seconds(millis));
        suite.add_test_cases(cases.iter().map(case));
        let mut document = Document::new("dzsim");
        document.set_time(seconds(millis));
        document.add_test_suite(suite);
        document.serialize(&mut self.out).map_err(io::Error::other)
    }
}

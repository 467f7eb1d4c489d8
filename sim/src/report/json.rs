//! One JSON object a line, as it happens.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde_json::json;

use super::Report;
use crate::run::protocol::{CaseSummary, Progress};

/// Writes JSON lines.
pub struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn line(&mut self, value: &serde_json::Value) -> io::Result<()> {
        writeln!(self.out, "{value}")?;
        self.out.flush()
    }
}

impl<W: Write> Report for Json<W> {
    fn started(&mut self, case: &str, _at: Duration) -> io::Result<()> {
        self.line(&json!({"event": "started", "case": case}))
    }

    fn progress(&mut self, case: &str, progress: &Progress, _at: Duration) -> io::Result<()> {
        let mut value = serde_json::to_value(progress)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("case".to_owned(), case.into());
        }
        self.line(&value)
    }

    fn interrupted(&mut self) -> io::Result<()> {
        self.line(&json!({"event": "interrupted"}))
    }

    fn finished(&mut self, cases: &[CaseSummary], took: Duration) -> io::Result<()> {
        let outcomes: std::collections::BTreeMap<_, _> = cases.iter().map(|case| (&case.case, case.outcome)).collect();
        self.line(&json!({"event": "done", "millis": took.as_secs_f64() * 1e3, "outcomes": outcomes}))
    }
}

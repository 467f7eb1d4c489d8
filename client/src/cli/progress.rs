//! Progress lines: what a command waits for, on standard error, so that standard output stays the answer.

use std::io::{IsTerminal, Write};

/// Receives what a command does while it waits.
pub trait Progress: Send + Sync {
    /// It waits for this.
    fn waiting(&self, step: &str);
}

/// Writes a line a step to standard error.
pub struct Lines;

impl Progress for Lines {
    fn waiting(&self, step: &str) {
        // A closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "waiting for {step}");
    }
}

/// Says nothing.
pub struct Quiet;

impl Progress for Quiet {
    fn waiting(&self, _step: &str) {}
}

/// Lines for a terminal, silence for a pipe.
pub fn for_stderr() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() { Box::new(Lines) } else { Box::new(Quiet) }
}

//! Errors of processes, with the end of their output.

use std::path::Path;
use std::time::Duration;

use super::Exit;

/// How much of the end of a log an error quotes, in bytes.
const TAIL: usize = 2000;

/// Why a process did not start, or did not do what it was started for.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The program could not be started.
    #[error("{process}: {reason}")]
    Start {
        /// `<host>.<role>`.
        process: String,
        /// What was refused.
        reason: String,
    },
    /// It ended before it was ready.
    #[error("{process} ended before it was ready, with {exit}{}", quoted(log))]
    Ended {
        /// `<host>.<role>`.
        process: String,
        /// How it ended.
        exit: Exit,
        /// The end of what it logged.
        log: String,
    },
    /// It was not ready in time, and was killed.
    #[error("{process} was not ready after {after:?}{}", quoted(log))]
    NotReady {
        /// `<host>.<role>`.
        process: String,
        /// How long it had.
        after: Duration,
        /// The end of what it logged.
        log: String,
    },
    /// It did not end in time, and was killed.
    #[error("{process} did not end within {after:?} and was killed{}{}", quoted(stdout), quoted(stderr))]
    TimedOut {
        /// `<host>.<role>`.
        process: String,
        /// How long it had.
        after: Duration,
        /// What it had written to its standard output.
        stdout: String,
        /// What it had written to its standard error.
        stderr: String,
    },
    /// It wrote more than is taken, and was killed.
    #[error("{process} wrote more than {} MiB and was killed", most >> 20)]
    TooMuch {
        /// `<host>.<role>`.
        process: String,
        /// How much each stream may have, in bytes.
        most: u64,
    },
}

fn quoted(text: &str) -> String {
    let lines = text.trim_end().lines();
    lines.map(|line| format!("\n    {line}")).collect()
}

/// The end of a log, from where the process began to write.
pub(super) fn tail(path: &Path, start: u64) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let own = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default();
    let text = String::from_utf8_lossy(&own[own.len().saturating_sub(TAIL)..]).into_owned();
    match text.split_once('\n') {
        // The first line is cut unless all is quoted.
        Some((_, rest)) if own.len() > TAIL => rest.to_owned(),
        _ => text,
    }
}

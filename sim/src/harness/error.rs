//! Errors of the library.

use std::{io, path::PathBuf};

use dzsim_lab::EnterError;
use dzsim_scenario::Diagnostics;

use crate::run::protocol::Failure;

/// An error of the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The YAML, or a step, is not valid.
    #[error("{0}")]
    Invalid(Diagnostics),
    /// The scenario has a `matrix`: a network is one case.
    #[error("expected a scenario of one case, got {0}: a `matrix` is run by `dzsim run`")]
    Cases(usize),
    /// The machine does not allow the real world.
    #[error(
        "cannot enter the real world: {0}; `dzsim doctor` says what is missing, and the virtual world needs nothing"
    )]
    Machine(#[from] EnterError),
    /// The process has threads that would see its environment change.
    #[error(
        "expected a process with one thread, got {0}: run the scenario first in `main`, or in a test with #[dzsim::test]"
    )]
    Threads(usize),
    /// The network does not come up, or a step or an invariant does not hold.
    #[error("{}", text(.0))]
    Failed(Box<Failure>),
    /// Nothing of this name is in the scenario.
    #[error("unknown {kind} `{name}`: the scenario has {known}")]
    Unknown {
        /// The kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
        /// The names of that kind.
        known: String,
    },
    /// The simulator itself failed.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl From<Box<Failure>> for Error {
    fn from(failure: Box<Failure>) -> Self {
        Self::Failed(failure)
    }
}

/// A failure as plain text: the step, the message, expected beside actual, what the oracle saw.
fn text(failure: &Failure) -> String {
    let mut text = format!("{}: {}", failure.title, failure.message);
    for (name, value) in [("expected", &failure.expected), ("actual", &failure.actual)] {
        if let Some(value) = value {
            text.push_str(&format!("\n{name}: {value}"));
        }
    }
    for difference in &failure.differences {
        text.push_str(&format!("\n{}:\n{}", difference.of, difference.lines));
    }
    for line in &failure.oracle {
        text.push_str(&format!("\n{line}"));
    }
    text
}

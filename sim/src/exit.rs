//! What the process tells its caller.

use std::process::ExitCode;

/// The exit codes of `dzsim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// All passed.
    Passed = 0,
    /// A scenario failed.
    Failed = 1,
    /// The input is wrong; the message names file, line and column.
    BadInput = 2,
    /// This machine cannot run it; the message names what is missing and the command that fixes it.
    CannotRun = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

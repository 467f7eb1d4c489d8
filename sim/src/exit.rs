//! The exit codes of `dzsim`, and the errors that decide them.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use strum::VariantArray;

/// The exit codes of `dzsim`. Of several, the greater one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
#[repr(u8)]
pub enum Exit {
    /// All passed.
    Passed = 0,
    /// A scenario failed.
    Failed = 1,
    /// The input is wrong: an option, a file with its line and column, a name that does not exist.
    BadInput = 2,
    /// This machine cannot run it or was too slow, or what it has to write to cannot be written.
    CannotRun = 3,
    /// Interrupted by Ctrl-C (SIGINT).
    Interrupted = 130,
    /// The reader of standard output has gone (SIGPIPE).
    ReaderGone = 141,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// What the code means, in the words of docs/dzsim.md.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "all passed",
            Self::Failed => "a scenario failed",
            Self::BadInput => "the input is wrong: an option, a file, a name",
            Self::CannotRun => "this machine cannot run it or was too slow, or an output cannot be written",
            Self::Interrupted => "interrupted by Ctrl-C; what was done is reported",
            Self::ReaderGone => "the reader of standard output has gone",
            Self::Terminated => "ended by SIGTERM; what was done is reported",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it was given is wrong. The text is whole: it begins with `error:` or a place.
    #[error("{0}")]
    Input(String),
    /// Something it needs is not there or does not work.
    #[error("error: {0:#}")]
    Machine(anyhow::Error),
    /// Its answer cannot be written.
    #[error("error: writing to standard output: {0}")]
    Output(#[source] io::Error),
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Machine(error)
    }
}

impl Error {
    /// An error of the input, in one line.
    pub fn input(message: impl std::fmt::Display) -> Self {
        Self::Input(format!("error: {message}"))
    }

    /// The code it ends the process with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Input(_) => Exit::BadInput,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::ReaderGone,
            Self::Machine(_) | Self::Output(_) => Exit::CannotRun,
        }
    }

    /// Writes it to standard error. A reader that has gone is no error that anybody could read about.
    pub fn show(&self) {
        if self.exit() != Exit::ReaderGone {
            complain(self);
        }
    }
}

/// Writes a line to standard error, if anybody reads it.
pub fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", text.to_string().trim_end());
}

/// Writes a line of an answer to standard output.
///
/// # Errors
/// [`Error::Output`].
pub fn answer(text: impl std::fmt::Display) -> Result<(), Error> {
    let mut out = io::stdout();
    writeln!(out, "{}", text.to_string().trim_end()).and_then(|()| out.flush()).map_err(Error::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_documentation_is_the_program() {
        let document = include_str!("../../docs/dzsim.md");
        for exit in Exit::VARIANTS {
            let row = format!("| {} | {} |", *exit as u8, exit.meaning());
            assert!(document.contains(&row), "docs/dzsim.md lacks: {row}");
        }
    }

    #[test]
    fn a_full_disk_is_the_machines_fault_and_a_closed_pipe_is_nobodys() {
        let full = Error::Output(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit(), Exit::CannotRun);
        assert_eq!(Error::Output(io::Error::from(io::ErrorKind::BrokenPipe)).exit(), Exit::ReaderGone);
    }
}

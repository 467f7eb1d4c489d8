//! Output formats: live lines for people, JSON lines for programs, JUnit and GitHub's annotations for CI, timelines and pages.

mod failure;
mod github;
mod html;
mod json;
mod junit;
mod progress_lines;
mod set;
mod trace;

#[cfg(test)]
mod tests;

use std::{io, path::Path, time::Duration};

pub use github::{Github, annotation};
pub use html::Html;
pub use json::Json;
pub use junit::Junit;
pub use progress_lines::Human;
pub use set::Reports;
pub use trace::Trace;

use crate::run::protocol::{CaseSummary, Progress};

/// Receives what happens, in the order it happens; several cases are under way at a time.
pub trait Report {
    /// A case has started.
    ///
    /// # Errors
    /// The report cannot be written; likewise for the other calls.
    fn started(&mut self, _case: &str, _at: Duration) -> io::Result<()> {
        Ok(())
    }
    /// A case has got further.
    ///
    /// # Errors
    /// The report cannot be written.
    fn progress(&mut self, _case: &str, _progress: &Progress, _at: Duration) -> io::Result<()> {
        Ok(())
    }
    /// Time has passed without news.
    ///
    /// # Errors
    /// The report cannot be written.
    fn tick(&mut self, _at: Duration) -> io::Result<()> {
        Ok(())
    }
    /// The run has been interrupted: what is under way is being ended.
    ///
    /// # Errors
    /// The report cannot be written.
    fn interrupted(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// All cases have ended; in the order of their names.
    ///
    /// # Errors
    /// The report cannot be written.
    fn finished(&mut self, cases: &[CaseSummary], took: Duration) -> io::Result<()>;
}

/// A path as people named it or would: relative to the working directory if it is below it.
pub(crate) fn near(path: &Path) -> String {
    let relative = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    match relative {
        Some(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
        Some(relative) => relative.display().to_string(),
        None => path.display().to_string(),
    }
}

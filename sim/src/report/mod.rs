//! Telling results: live lines for people, JSON lines for programs, JUnit for CI.

mod human;
mod json;
mod junit;

use std::{io, path::Path};

pub use human::Human;
pub use json::Json;
pub use junit::Junit;

use crate::{
    cli::Format,
    run::protocol::{CaseSummary, Progress},
};

/// Receives what happens, in the order it happens; several cases are under way at a time.
pub trait Report {
    /// A case has started.
    fn started(&mut self, case: &str) -> io::Result<()>;
    /// A case told something.
    fn progress(&mut self, case: &str, progress: &Progress) -> io::Result<()>;
    /// All cases have ended; in the order of their names.
    fn finished(&mut self, cases: &[CaseSummary], millis: f64) -> io::Result<()>;
}

/// The reporter of a format for this many cases, writing to standard output.
pub fn reporter(format: Format, cases: usize) -> Box<dyn Report> {
    match format {
        Format::Human => Box::new(Human::new(io::stdout(), cases)),
        Format::Json => Box::new(Json::new(io::stdout())),
        Format::Junit => Box::new(Junit::new(io::stdout())),
    }
}

/// The command that runs just this case again, as it was run.
pub fn again(summary: &CaseSummary) -> String {
    let file = quoted(&summary.file);
    let CaseSummary { case, seed, world, dataplane, .. } = summary;
    format!("dzsim run {file} --filter '{case}' --seed {seed} --world {world} --dataplane {dataplane}")
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(|c: char| c.is_whitespace() || c == '\'') { format!("{text:?}") } else { text }
}

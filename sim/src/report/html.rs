//! A page with pictures of every case.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use super::Report;
use crate::{page, run::protocol::CaseSummary};

/// Writes a page.
pub struct Html<W> {
    out: W,
    /// Where the page is: links to artifacts start there.
    path: PathBuf,
}

impl<W: Write> Html<W> {
    /// Writes to `out`, which is the file at `path`.
    pub fn new(out: W, path: PathBuf) -> Self {
        Self { out, path }
    }
}

impl<W: Write> Report for Html<W> {
    fn finished(&mut self, cases: &[CaseSummary], took: Duration) -> io::Result<()> {
        let read = |summary| page::Record::read(summary, Some(page::relative(&self.path, &summary.artifacts)));
        let records = cases.iter().map(read).collect::<io::Result<Vec<_>>>()?;
        self.out.write_all(page::run(&records, took).as_bytes())?;
        self.out.flush()
    }
}

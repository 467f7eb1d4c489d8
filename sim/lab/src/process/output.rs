//! The output of a process that runs to its end.
//!
//! It goes to files that exist only in memory, not to pipes: a program that leaves a child behind, with its output
//! still open, ends all the same, and does not block on an output that is not read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::Serialize;

use super::Exit;

/// How many bytes of each stream are kept.
const LIMIT: u64 = 8 << 20;
/// A program that writes more than this is killed: all of it is in memory.
pub(super) const MOST: u64 = 8 * LIMIT;

/// What a process that ran to its end has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to its standard output; text that is not UTF-8 has replacement characters in it.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// A stream being captured.
#[derive(Debug)]
pub(super) struct Capture(pub(super) File);

impl Capture {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(File::from(memfd_create(c"dzsim-output", MFdFlags::MFD_CLOEXEC)?)))
    }

    /// How many bytes were written until now.
    pub(super) fn written(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// All that was written until now, up to the limit.
    pub(super) fn read(&self) -> io::Result<String> {
        let written = self.written()?;
        let mut bytes = vec![0; written.min(LIMIT) as usize];
        // By offset: the position of the file is shared with the program, which may still write.
        self.0.read_exact_at(&mut bytes, 0)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if written > LIMIT {
            text.push_str("\n[more was written]\n");
        }
        Ok(text)
    }
}

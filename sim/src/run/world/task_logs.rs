//! The logs of roles that are tasks: what each says goes to a file of its own, as that of a process does.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use dz_service::{WallClock, log};
use tracing::Dispatch;

/// The folder of the logs.
pub(super) struct Logs {
    folder: PathBuf,
    clock: WallClock,
}

impl Logs {
    pub(super) fn new(folder: &Path, clock: WallClock) -> Self {
        Self { folder: folder.to_owned(), clock }
    }

    /// Where a role on a node logs to, after what it has logged before.
    pub(super) fn of(&self, node: &str, name: &str, role: &'static str) -> io::Result<Dispatch> {
        let path = self.folder.join(format!("{node}.{name}.log"));
        let file = Arc::new(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?));
        Ok(Dispatch::new(log::json(role, self.clock.clone(), move || Lines(Arc::clone(&file)))))
    }
}

/// Writes to the file.
struct Lines(Arc<Mutex<File>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

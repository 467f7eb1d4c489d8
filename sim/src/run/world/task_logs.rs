//! The logs of roles that are tasks: what each says goes to a file of its own, as that of a process does.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use dz_service::{WallClock, log};
use tracing::Dispatch;

use crate::run::events::Events;

/// The folder of the logs.
pub(super) struct Logs {
    folder: PathBuf,
    clock: WallClock,
    events: Events,
}

impl Logs {
    pub(super) fn new(folder: &Path, clock: WallClock, events: Events) -> Self {
        Self { folder: folder.to_owned(), clock, events }
    }

    /// Where a role on a node logs to, after what it has logged before.
    pub(super) fn of(&self, node: &str, name: &str, role: &'static str) -> io::Result<Dispatch> {
        let who = format!("{node}.{name}");
        let path = self.folder.join(format!("{who}.log"));
        let file = Arc::new(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?));
        let events = self.events.clone();
        Ok(Dispatch::new(log::json(role, self.clock.clone(), move || Lines {
            file: Arc::clone(&file),
            who: who.clone(),
            events: events.clone(),
        })))
    }
}

/// Writes to the file; what is written at once is a line.
struct Lines {
    file: Arc<Mutex<File>>,
    who: String,
    events: Events,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.events.pass_on(&self.who, &String::from_utf8_lossy(bytes));
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

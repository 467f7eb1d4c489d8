//! The event log of a run: every step, decision and transition as one JSON object a line, on one clock.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde::Serialize;
use serde_json::{Map, Value};

/// Writes events; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Events {
    start: Instant,
    out: Arc<Mutex<BufWriter<File>>>,
}

impl Events {
    /// Starts the log and its clock.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { start: Instant::now(), out: Arc::new(Mutex::new(BufWriter::new(File::create(path)?))) })
    }

    /// Nanoseconds since the log was started.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Writes an event of this kind by this node or part. Its fields follow the common ones: `t_ns`, `who`, `event`.
    pub fn record(&self, who: &str, event: &str, fields: impl Serialize) -> io::Result<()> {
        let mut line = Map::new();
        line.insert("t_ns".to_owned(), self.now().into());
        line.insert("who".to_owned(), who.into());
        line.insert("event".to_owned(), event.into());
        match serde_json::to_value(fields)? {
            Value::Object(fields) => line.extend(fields),
            Value::Null => {}
            other => {
                line.insert("value".to_owned(), other);
            }
        }
        let mut out = self.out.lock().unwrap_or_else(|poison| poison.into_inner());
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }

    /// Writes what is buffered.
    pub fn flush(&self) -> io::Result<()> {
        self.out.lock().unwrap_or_else(|poison| poison.into_inner()).flush()
    }
}

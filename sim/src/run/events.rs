//! The event log of a run: every step, decision and transition as one JSON object a line, on one clock.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
    time::SystemTime,
};

use dz_service::WallClock;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::logs;

/// Writes events; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct Events {
    start: Instant,
    /// The same moment on the clock of the processes' logs.
    start_wall: SystemTime,
    path: Arc<PathBuf>,
    out: Arc<Mutex<BufWriter<File>>>,
    listener: Arc<OnceLock<Listener>>,
}

/// Gets each event as its line, as soon as it is known here.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

impl Events {
    /// Starts the log and its clock; `wall` is the clock of the processes' logs.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn create(path: &Path, wall: &WallClock) -> io::Result<Self> {
        Ok(Self {
            start: Instant::now(),
            start_wall: wall.now(),
            path: Arc::new(path.to_owned()),
            out: Arc::new(Mutex::new(BufWriter::new(File::create(path)?))),
            listener: Arc::default(),
        })
    }

    /// Lets somebody hear each event from now on, and each line of the logs that is passed on. There is one listener.
    pub fn listen(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        // The first one stays.
        let _ = self.listener.set(Box::new(listener));
    }

    /// Passes a line of a process's log on to its listener; it comes into the event log at the end.
    pub fn pass_on(&self, who: &str, line: &str) {
        if let Some(listener) = self.listener.get()
            && let Some((_, event)) = self.adopt(who, line)
        {
            listener(&event);
        }
    }

    /// The wall clock at the zero of the log's clock.
    pub fn zero(&self) -> SystemTime {
        self.start_wall
    }

    /// Nanoseconds since the log was started.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Writes an event of this kind by this node or part. Its fields follow the common ones: `t_ns`, `who`, `event`.
    ///
    /// # Errors
    /// The log cannot be written.
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
        let line = Value::Object(line).to_string();
        if let Some(listener) = self.listener.get() {
            listener(&line);
        }
        let mut out = self.out.lock().unwrap_or_else(|poison| poison.into_inner());
        writeln!(out, "{line}")
    }

    /// Ends the log: puts in what the processes have written into their own, and everything in the order of time.
    ///
    /// Lines of theirs that are no JSON, such as a panic's, stay in their logs only.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn finish(&self, logs: &Path) -> io::Result<()> {
        self.out.lock().unwrap_or_else(|poison| poison.into_inner()).flush()?;
        let mut lines: Vec<(u64, String)> = Vec::new();
        for line in fs::read_to_string(self.path.as_path())?.lines() {
            let event: Map<String, Value> = serde_json::from_str(line)?;
            lines.push((event.get("t_ns").and_then(Value::as_u64).unwrap_or_default(), line.to_owned()));
        }
        // By name: where two have written at the same time, their order is the same in each run.
        let mut logs = fs::read_dir(logs)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        logs.sort();
        for path in logs {
            let who = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            let text = fs::read(&path)?;
            lines.extend(String::from_utf8_lossy(&text).lines().filter_map(|line| self.adopt(&who, line)));
        }
        // Stable, so that what one process wrote in one nanosecond stays in its order.
        lines.sort_by_key(|(time, _)| *time);
        let mut out = BufWriter::new(File::create(self.path.as_path())?);
        lines.iter().try_for_each(|(_, line)| writeln!(out, "{line}"))?;
        out.flush()
    }

    /// A line of a process's log as an event.
    fn adopt(&self, who: &str, line: &str) -> Option<(u64, String)> {
        let mut fields: Map<String, Value> = serde_json::from_str(line).ok()?;
        let time = logs::since(&fields.remove("ts")?, self.start_wall)?;
        // The log's name says it.
        fields.remove("role");
        let message = fields.remove("message").unwrap_or_else(|| "log".into());
        let mut event = Map::new();
        event.insert("t_ns".to_owned(), time.into());
        event.insert("who".to_owned(), who.into());
        event.insert("event".to_owned(), message);
        event.extend(fields);
        Some((time, Value::Object(event).to_string()))
    }
}

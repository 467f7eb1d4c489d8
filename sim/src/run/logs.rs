//! The logs of all processes as one list, in the order of time.

use std::{fs, io, path::Path, time::SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A line of a process's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Since the run started.
    pub t_ns: u64,
    /// The process, as its log is called: `val1.doublezerod`.
    pub who: String,
    /// `ERROR` to `TRACE`; empty for a line that is not structured, such as a panic.
    pub level: String,
    /// Message and fields.
    pub message: String,
}

/// Every line of the logs in this folder, with its time since `zero`. A line that is not structured, such as a panic's,
/// has the time of the line before it in its log.
///
/// # Errors
/// The folder or a log in it cannot be read.
pub fn read(folder: &Path, zero: SystemTime) -> io::Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let who = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let text = fs::read(&path)?;
        let mut t_ns = 0;
        for line in String::from_utf8_lossy(&text).lines() {
            let parsed = structured(line, zero);
            let plain = || (t_ns, String::new(), line.to_owned());
            let (time, level, message) = parsed.unwrap_or_else(plain);
            t_ns = time;
            lines.push(LogLine { t_ns, who: who.clone(), level, message });
        }
    }
    // Stable: what one process wrote in one nanosecond stays in its order. Files come in the order of the file system.
    lines.sort_by(|a, b| (a.t_ns, &a.who).cmp(&(b.t_ns, &b.who)));
    Ok(lines)
}

fn structured(line: &str, zero: SystemTime) -> Option<(u64, String, String)> {
    let mut fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let time = since(&fields.remove("ts")?, zero)?;
    let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let level = text(fields.remove("level"));
    let mut message = text(fields.remove("message"));
    // The log's name says it.
    fields.remove("role");
    for (name, value) in fields {
        match value {
            Value::String(value) => message.push_str(&format!(" {name}={value}")),
            value => message.push_str(&format!(" {name}={value}")),
        }
    }
    Some((time, level, message))
}

/// A time stamp as nanoseconds since `zero`; 0 for one before it.
pub(super) fn since(stamp: &Value, zero: SystemTime) -> Option<u64> {
    let wall = humantime::parse_rfc3339(stamp.as_str()?).ok()?;
    let since = wall.duration_since(zero).unwrap_or_default();
    Some(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_logs_are_in_the_order_of_time_with_their_fields() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "val1.doublezerod.log",
            "{\"ts\":\"2026-01-01T00:00:02.5Z\",\"level\":\"WARN\",\"role\":\"doublezerod\",\"message\":\"down\",\"tunnel\":\
             \"doublezero0\",\"lost\":3}\nthread 'main' panicked\n",
        );
        write(
            "core.activator.log",
            "{\"ts\":\"2026-01-01T00:00:01Z\",\"level\":\"INFO\",\"role\":\"activator\",\"message\":\"started\"}\n",
        );
        let zero = humantime::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let line = |t_ns, who: &str, level: &str, message: &str| LogLine {
            t_ns,
            who: who.to_owned(),
            level: level.to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(
            read(folder.path(), zero).unwrap(),
            [
                line(1_000_000_000, "core.activator", "INFO", "started"),
                line(2_500_000_000, "val1.doublezerod", "WARN", "down lost=3 tunnel=doublezero0"),
                line(2_500_000_000, "val1.doublezerod", "", "thread 'main' panicked"),
            ]
        );
    }
}

//! Log lines on standard error: for people, or one JSON object a line for programs that merge them.
//!
//! A JSON line is flat: `ts`, `level`, `role`, `message`, then the fields of the event as they were given.

use std::{fmt, io};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::WallClock;

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Plain,
    /// One JSON object a line.
    Json,
}

/// Sends this process's log, in which it is called `role`, to standard error. `RUST_LOG` filters it; without it, `info` and above. When the process
/// has a log already, that one stays. A line that cannot be written is lost.
pub fn init(role: &'static str, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    // An error says that a subscriber is installed, which is the case that is allowed.
    let _ = match format {
        LogFormat::Plain => log.with_ansi(false).with_target(false).finish().try_init(),
        LogFormat::Json => log.event_format(JsonLine { role, timer: SystemTime }).finish().try_init(),
    };
}

/// A log of JSON lines of `info` and above, in which the process is called `role`, with the time of `clock`. A line that
/// cannot be written is lost.
pub fn json<W: io::Write + 'static>(
    role: &'static str,
    clock: WallClock,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(writer);
    log.log_internal_errors(false).event_format(JsonLine { role, timer: Timer(clock) }).finish()
}

/// A time in the format of log lines.
struct Timer(WallClock);

impl FormatTime for Timer {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", humantime::format_rfc3339_micros(self.0.now()))
    }
}

/// Formats an event as one JSON object.
struct JsonLine<T> {
    role: &'static str,
    timer: T,
}

#[derive(Serialize)]
struct Line<'a> {
    ts: String,
    level: &'a str,
    role: &'a str,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl<S, N, T> FormatEvent<S, N> for JsonLine<T>
where
    T: FormatTime,
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut ts = String::new();
        self.timer.format_time(&mut Writer::new(&mut ts))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str();
        let line = Line { ts, level, role: self.role, fields: fields.0 };
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let written = Shared::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(JsonLine { role: "activator", timer: SystemTime })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(slot = 7u64, subject = %"device nyc1", quoted = "a \"b\"\n", "decided");
        });
        let bytes = written.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("{\"ts\":\"20") && text.ends_with("}\n"), "{text}");
        let mut line: Value = serde_json::from_str(&text).unwrap();
        line.as_object_mut().unwrap().remove("ts");
        let expected = json!({
            "level": "INFO",
            "role": "activator",
            "message": "decided",
            "slot": 7,
            "subject": "device nyc1",
            "quoted": "a \"b\"\n",
        });
        assert_eq!(line, expected);
    }
}

//! The timeline of a run in Chrome's trace format, which Perfetto and chrome://tracing show: a process a case, a thread a
//! process of the stack, steps as spans and everything else as instants.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    time::Duration,
};

use serde_json::{Map, Value, json};

use super::Report;
use crate::run::{artifacts::EVENTS, protocol::CaseSummary};

/// Writes a trace.
pub struct Trace<W> {
    out: W,
}

impl<W: Write> Trace<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> Report for Trace<W> {
    fn finished(&mut self, cases: &[CaseSummary], _took: Duration) -> io::Result<()> {
        let mut events = Vec::new();
        // What was not begun has no events; there may be those of an earlier run.
        for (number, summary) in (1..).zip(cases.iter().filter(|summary| !summary.started.is_empty())) {
            match fs::read_to_string(summary.artifacts.join(EVENTS)) {
                Ok(text) => events.extend(of_case(number, &summary.case, &text)?),
                // The folder could not be claimed, or not be written.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        serde_json::to_writer(&mut self.out, &json!({"displayTimeUnit": "ms", "traceEvents": events}))?;
        self.out.flush()
    }
}

/// The events of a case, given its event log.
fn of_case(pid: u32, case: &str, log: &str) -> io::Result<Vec<Value>> {
    let mut threads: BTreeMap<String, usize> = BTreeMap::new();
    let mut events = vec![json!({"ph": "M", "pid": pid, "name": "process_name", "args": {"name": case}})];
    // The step that is under way: when it began, and its name.
    let mut step: Option<(f64, String)> = None;
    let mut last = 0.0;
    for line in log.lines() {
        let mut fields: Map<String, Value> = serde_json::from_str(line)?;
        let mut text = |name: &str| fields.remove(name).and_then(|value| value.as_str().map(str::to_owned));
        let (who, name) = (text("who").unwrap_or_default(), text("event").unwrap_or_default());
        // Microseconds.
        let at = fields.remove("t_ns").and_then(|value| value.as_f64()).unwrap_or_default() / 1e3;
        last = at;
        let next = threads.len() + 1;
        let tid = *threads.entry(who.clone()).or_insert(next);
        if who == "scenario" && (name == "step" || name == "step done") {
            events.extend(step.take().map(|begun| span(pid, tid, begun, at)));
            if name == "step" {
                let title = fields.get("title").and_then(Value::as_str).unwrap_or_default();
                step = Some((at, format!("{}: {title}", fields.get("number").unwrap_or(&Value::Null))));
            }
            continue;
        }
        events.push(json!({"ph": "i", "s": "t", "pid": pid, "tid": tid, "ts": at, "name": name, "args": fields}));
    }
    // One that did not hold lasts until the end.
    if let (Some(begun), Some(tid)) = (step, threads.get("scenario")) {
        events.push(span(pid, *tid, begun, last));
    }
    events.extend(
        threads
            .iter()
            .map(|(who, tid)| json!({"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": who}})),
    );
    Ok(events)
}

fn span(pid: u32, tid: usize, (from, name): (f64, String), to: f64) -> Value {
    json!({"ph": "X", "pid": pid, "tid": tid, "ts": from, "dur": to - from, "name": name})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_spans_and_the_last_lasts_until_the_end() {
        let log = concat!(
            "{\"t_ns\":1000,\"who\":\"scenario\",\"event\":\"step\",\"number\":1,\"title\":\"ping\"}\n",
            "{\"t_ns\":2500,\"who\":\"val1.doublezerod\",\"event\":\"probed\",\"lost\":3}\n",
            "{\"t_ns\":4000,\"who\":\"scenario\",\"event\":\"step done\",\"number\":1,\"title\":\"ping\"}\n",
            "{\"t_ns\":5000,\"who\":\"scenario\",\"event\":\"step\",\"number\":2,\"title\":\"send\"}\n",
            "{\"t_ns\":9000,\"who\":\"nyc1\",\"event\":\"down\"}\n",
        );
        let events = of_case(1, "topic/case", log).unwrap();
        let kind = |ph: &str| events.iter().filter(|event| event["ph"] == ph).cloned().collect::<Vec<_>>();
        assert_eq!(
            kind("X"),
            [
                json!({"ph": "X", "pid": 1, "tid": 1, "ts": 1.0, "dur": 3.0, "name": "1: ping"}),
                json!({"ph": "X", "pid": 1, "tid": 1, "ts": 5.0, "dur": 4.0, "name": "2: send"}),
            ]
        );
        let instants = kind("i");
        assert_eq!((&instants[0]["args"], &instants[0]["ts"]), (&json!({"lost": 3}), &json!(2.5)));
        let names: Vec<_> = kind("M").iter().map(|event| event["args"]["name"].clone()).collect();
        assert_eq!(names, ["topic/case", "nyc1", "scenario", "val1.doublezerod"]);
    }
}

//! What the wall time of a run was spent on.

use std::{collections::BTreeMap, time::Instant};

/// Times phases that follow one another.
#[derive(Debug)]
pub struct Phases {
    start: Instant,
    last: Instant,
    ended: BTreeMap<String, f64>,
}

impl Default for Phases {
    fn default() -> Self {
        let now = Instant::now();
        Self { start: now, last: now, ended: BTreeMap::new() }
    }
}

impl Phases {
    /// Ends the phase that began with the one before.
    pub fn end(&mut self, name: &str) {
        let now = Instant::now();
        *self.ended.entry(name.to_owned()).or_default() += millis(self.last, now);
        self.last = now;
    }

    /// Milliseconds since the start.
    pub fn total(&self) -> f64 {
        millis(self.start, Instant::now())
    }

    /// Milliseconds by phase.
    pub fn ended(&self) -> &BTreeMap<String, f64> {
        &self.ended
    }
}

fn millis(from: Instant, to: Instant) -> f64 {
    (to - from).as_secs_f64() * 1e3
}

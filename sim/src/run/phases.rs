//! Time of a run by phase, in the time of its world, and its real time.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// Times phases that follow one another.
#[derive(Debug)]
pub struct Phases {
    /// What a clock on the wall shows, whatever the world's own does.
    wall: std::time::Instant,
    start: Instant,
    last: Instant,
    ended: BTreeMap<String, f64>,
}

impl Default for Phases {
    fn default() -> Self {
        let now = Instant::now();
        Self { wall: std::time::Instant::now(), start: now, last: now, ended: BTreeMap::new() }
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

    /// Milliseconds since the start that the run has taken of real time.
    pub fn real(&self) -> f64 {
        self.wall.elapsed().as_secs_f64() * 1e3
    }

    /// Milliseconds by phase.
    pub fn ended(&self) -> &BTreeMap<String, f64> {
        &self.ended
    }
}

fn millis(from: Instant, to: Instant) -> f64 {
    (to - from).as_secs_f64() * 1e3
}

//! One direction of a path: what becomes of each packet, given the time and its own random numbers. Knows no
//! addresses and no other path.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::profile::{Jitter, Loss, Ordering, PathProfile};

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives at this time, and perhaps a copy of it at another, in nanoseconds.
    Arrives { at: u64, copy: Option<u64> },
    /// It is lost on the way.
    Lost,
    /// The queue has no room for it.
    QueueFull,
}

/// A direction's profile and what it remembers.
#[derive(Debug)]
pub(crate) struct Direction {
    profile: Arc<PathProfile>,
    rng: SmallRng,
    /// When the line has sent what was handed to it.
    line_free: u64,
    /// The latest arrival so far: nothing that keeps order arrives before.
    last_arrival: u64,
    /// The state of bursty loss.
    in_burst: bool,
}

impl Direction {
    pub(crate) fn new(profile: Arc<PathProfile>, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self { profile, rng, line_free: 0, last_arrival: 0, in_burst: false }
    }

    pub(crate) fn profile(&self) -> &Arc<PathProfile> {
        &self.profile
    }

    /// Takes another profile from the next packet on. What waits for the line stays; what is under way arrives as it
    /// was going to, so that a shorter path overtakes a longer one, as after a change of route.
    pub(crate) fn set_profile(&mut self, profile: Arc<PathProfile>) {
        self.profile = profile;
        self.last_arrival = 0;
        self.in_burst = false;
    }

    /// Decides on a packet of `bytes` that enters at `now`.
    pub(crate) fn send(&mut self, now: u64, bytes: u64) -> Fate {
        let Some(sent) = self.through_queue(now, bytes) else { return Fate::QueueFull };
        // The line carries what is lost behind it, and a copy as any packet.
        if self.is_lost() {
            return Fate::Lost;
        }
        let at = self.arrival(sent);
        let duplicate = self.profile.duplicate;
        let copied = !duplicate.is_zero() && self.rng.random_bool(duplicate.get());
        let copy = if copied { self.through_queue(now, bytes).map(|sent| self.arrival(sent)) } else { None };
        Fate::Arrives { at, copy }
    }

    /// When the line has sent the last bit, or `None` if the queue is full.
    fn through_queue(&mut self, now: u64, bytes: u64) -> Option<u64> {
        let Some(rate) = self.profile.rate else { return Some(now) };
        let waiting = rate.bytes_in_ns(self.line_free.saturating_sub(now));
        if waiting > 0 && waiting + bytes > self.profile.queue_limit(rate) {
            return None;
        }
        self.line_free = self.line_free.max(now) + rate.transmission_ns(bytes);
        Some(self.line_free)
    }

    fn is_lost(&mut self) -> bool {
        let probability = match self.profile.loss {
            Loss::None => return false,
            Loss::Random { probability } => probability,
            Loss::Bursty { enter, leave, in_good, in_bad } => {
                let change = if self.in_burst { leave } else { enter };
                self.in_burst ^= self.rng.random_bool(change.get());
                if self.in_burst { in_bad } else { in_good }
            }
        };
        self.rng.random_bool(probability.get())
    }

    /// When a packet that left the line at `sent` arrives.
    fn arrival(&mut self, sent: u64) -> u64 {
        let delay = i128::from(nanoseconds(self.profile.delay));
        let at = sent + u64::try_from((delay + self.jitter()).max(0)).unwrap_or(u64::MAX / 2);
        match self.profile.ordering {
            Ordering::Free => at,
            Ordering::HeldBack { probability, by } if self.rng.random_bool(probability.get()) => at + nanoseconds(by),
            Ordering::Kept | Ordering::HeldBack { .. } => {
                self.last_arrival = self.last_arrival.max(at);
                self.last_arrival
            }
        }
    }

    /// What comes on top of the delay, in nanoseconds; may be negative.
    fn jitter(&mut self) -> i128 {
        match &self.profile.jitter {
            Jitter::None => 0,
            Jitter::Uniform { spread } => {
                let spread = nanoseconds(*spread) as i64;
                i128::from(self.rng.random_range(-spread..=spread))
            }
            Jitter::Normal { deviation } => {
                (standard_normal(&mut self.rng) * nanoseconds(*deviation) as f64).round() as i128
            }
            Jitter::Table { quantiles } => {
                let place = self.rng.random::<f64>() * (quantiles.len() - 1) as f64;
                let below = place as usize;
                let (low, high) = (quantiles[below], quantiles[(below + 1).min(quantiles.len() - 1)]);
                i128::from(nanoseconds(low + (high - low).mul_f64(place - below as f64)))
            }
        }
    }
}

/// A duration in the fabric's unit.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

/// A draw from the standard normal distribution (Box and Muller's transform).
fn standard_normal(rng: &mut SmallRng) -> f64 {
    // 1 - random is in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

//! Exponential backoff with jitter.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Exponential backoff with jitter, bounded. Processes that fail together do not try again together.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempt: u32,
    rng: SmallRng,
}

impl Backoff {
    /// Waits about `first`, then twice as long each time, never more than `longest`.
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, attempt: 0, rng: SmallRng::seed_from_u64(seed) }
    }

    /// The next wait: between a half and the whole of the current bound.
    pub fn next_wait(&mut self) -> Duration {
        let doubled = 2u32.checked_pow(self.attempt).and_then(|factor| self.first.checked_mul(factor));
        let bound = doubled.unwrap_or(self.longest).min(self.longest);
        self.attempt = self.attempt.saturating_add(1);
        bound.mul_f64(self.rng.random_range(0.5..=1.0))
    }

    /// Something worked: the next wait is short again.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), 7);
        let bounds = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
        for bound in bounds.map(Duration::from_millis) {
            let wait = backoff.next_wait();
            assert!(bound / 2 <= wait && wait <= bound, "{wait:?} of {bound:?}");
        }
        (0..100).for_each(|_| assert!(backoff.next_wait() <= Duration::from_secs(5)));
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }

    #[test]
    fn two_seeds_differ() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), seed);
            (0..4).map(|_| backoff.next_wait()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}

//! How long to wait before trying again.

use std::time::Duration;

use rand::Rng;

/// Doubling waits with jitter, so that a thousand devices do not come back to a controller at once.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// Starts over after a success.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next wait: between half and all of a time that doubles with each call.
    pub(super) fn wait(&mut self, rng: &mut impl Rng) -> Duration {
        let wait = self.next.mul_f64(rng.random_range(0.5..=1.0));
        self.next = (self.next * 2).min(self.most);
        wait
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn doubles_to_its_limit_and_starts_over() {
        let mut rng = SmallRng::seed_from_u64(1);
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(50), ms(300));
        for limit in [50, 100, 200, 300, 300] {
            let wait = backoff.wait(&mut rng);
            assert!(ms(limit) / 2 <= wait && wait <= ms(limit), "{wait:?} of {limit} ms");
        }
        backoff.reset();
        assert!(backoff.wait(&mut rng) <= ms(50));
    }
}

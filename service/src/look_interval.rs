//! The pause between two looks at a kernel that changes in it cause.
//!
//! Most changes that a watch reports are the watcher's own, and a look finds nothing. A change by another is met at once,
//! but changes that keep coming are met at growing intervals: without a bound, whatever changes something each time
//! somebody looks would take a whole processor.

use std::time::Duration;

use tokio::time::Instant;

use crate::Backoff;

/// The first pause of both kinds.
const FIRST: Duration = Duration::from_millis(20);
/// The longest pause after a look that found nothing: at most two looks a second.
const IDLE: Duration = Duration::from_secs(1);
/// The longest pause after a look that found something to repair: another process undoes it.
const CONTESTED: Duration = Duration::from_secs(5);
/// A kernel in which nothing changed for this long after a pause has calmed down.
const QUIET: Duration = Duration::from_secs(1);

/// The pauses between looks.
#[derive(Debug)]
pub struct LookInterval {
    idle: Backoff,
    contested: Backoff,
    pause: Duration,
}

impl LookInterval {
    /// No pause yet; `seed` decides how long each is.
    pub fn new(seed: u64) -> Self {
        Self {
            idle: Backoff::new(FIRST, IDLE, seed),
            contested: Backoff::new(FIRST, CONTESTED, seed.wrapping_add(1)),
            pause: Duration::ZERO,
        }
    }

    /// The pause after a look that a change of the kernel caused, `since_last` after the end of the look before, and that
    /// found `repaired` things to repair.
    pub fn after_change(&mut self, since_last: Duration, repaired: usize) -> Duration {
        if since_last >= self.pause + QUIET {
            self.reset();
        }
        let (grows, starts_over) =
            if repaired > 0 { (&mut self.contested, &mut self.idle) } else { (&mut self.idle, &mut self.contested) };
        starts_over.reset();
        self.pause = grows.next_wait();
        self.pause
    }

    /// The pause after a look for another reason: none, what follows is met at once.
    pub fn reset(&mut self) -> Duration {
        self.idle.reset();
        self.contested.reset();
        self.pause = Duration::ZERO;
        self.pause
    }
}

/// The next of the moments that are whole periods from `origin`: what waits for the same of them wakes its process once.
pub fn next_tick(origin: Instant, period: Duration) -> Instant {
    let passed = origin.elapsed().as_nanos() % period.as_nanos().max(1);
    let left = period.as_nanos() - passed;
    Instant::now() + Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ticks_are_whole_periods_from_the_origin() {
        let (origin, period) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(next_tick(origin, period), origin + period);
        tokio::time::advance(Duration::from_millis(2500)).await;
        assert_eq!(next_tick(origin, period), origin + 3 * period);
    }

    const SOON: Duration = Duration::from_millis(1);

    /// The interval after 20 looks for changes, each soon after the pause before it, and the last of the pauses.
    fn busy(repaired: usize) -> (LookInterval, Duration) {
        let mut look_interval = LookInterval::new(7);
        let mut pause = Duration::ZERO;
        (0..20).for_each(|_| pause = look_interval.after_change(pause + SOON, repaired));
        (look_interval, pause)
    }

    #[test]
    fn looks_that_find_nothing_become_rare() {
        assert!(LookInterval::new(7).after_change(SOON, 0) >= FIRST / 2);
        let (_, pause) = busy(0);
        assert!(pause >= IDLE / 2 && pause <= IDLE, "{pause:?}");
    }

    #[test]
    fn repairs_that_are_undone_become_rarer_still() {
        assert!(LookInterval::new(7).after_change(SOON, 1) >= FIRST / 2);
        let (_, pause) = busy(1);
        assert!(pause >= CONTESTED / 2, "{pause:?}");
    }

    #[test]
    fn a_repair_that_held_until_the_next_look_is_no_contest_and_a_repair_ends_idleness() {
        for repaired in [0, 1] {
            let (mut look_interval, pause) = busy(repaired);
            assert!(look_interval.after_change(pause + SOON, 1 - repaired) <= FIRST);
            assert!(look_interval.after_change(SOON, repaired) <= FIRST);
        }
    }

    #[test]
    fn after_a_quiet_time_or_another_reason_the_pause_is_short() {
        let (mut look_interval, pause) = busy(0);
        assert!(look_interval.after_change(pause + QUIET, 0) <= FIRST);
        let (mut look_interval, _) = busy(1);
        assert_eq!(look_interval.reset(), Duration::ZERO);
        assert!(look_interval.after_change(SOON, 1) <= FIRST);
    }
}

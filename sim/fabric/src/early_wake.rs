//! Wake-up ahead of deadlines. A thread that sleeps until a deadline runs some 20 to 100 µs after it, most on idle virtual
//! machines whose processors halt. So the timer is set that much early, and the rest is waited out awake, which costs
//! processor time: no more than a fixed share of it. The longer a processor has been halted the later it is, and by how
//! much is known only from rare wake-ups; so a long sleep ends twice, the first time well before its end. Pure; see
//! docs/decisions/0022.

/// The most that is ever waited awake at once, in nanoseconds.
const LONGEST_NS: u64 = 100_000;
/// Of all time, the share that may be spent so: one part in this many.
const SHARE: u64 = 10;
/// Time saved up for a burst, at most.
const SAVED_NS: u64 = 2_000_000;
/// Steps up and down by which the estimate follows the lateness: balanced where one wake-up in five is later.
const UP_NS: u64 = 4_000;
const DOWN_NS: u64 = 1_000;

/// A sleep that is longer than twice this ends this much early for the first time, in nanoseconds. What is left of it is
/// a short sleep, of a processor that has just run.
const LAST_SLEEP_NS: u64 = 1_000_000;

/// Long sleeps by which is known how late one ends at least.
const LONG_SLEEPS: usize = 32;

/// How to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Look again at once.
    Awake,
    /// Sleep until this time.
    Until(u64),
}

/// The estimate and the account.
#[derive(Debug, Default)]
pub(crate) struct EarlyWake {
    lead_ns: u64,
    saved_ns: u64,
    /// When the account was last brought up to date.
    seen: u64,
    /// Whether the thread has been waiting awake since then.
    awake: bool,
    /// Whether the timer is set for the first end of a long sleep, whose lateness says nothing about the second.
    long: bool,
    /// How late the last long sleeps ended, the oldest of which is replaced next.
    long_ns: [u64; LONG_SLEEPS],
    oldest: usize,
}

impl EarlyWake {
    /// The timer rang this much after it was to.
    pub(crate) fn rang_late(&mut self, lateness_ns: u64) {
        if self.long {
            self.long_ns[self.oldest] = lateness_ns.min(LONGEST_NS);
            self.oldest = (self.oldest + 1) % LONG_SLEEPS;
            return;
        }
        self.lead_ns = if lateness_ns > self.lead_ns {
            (self.lead_ns + UP_NS).min(LONGEST_NS)
        } else {
            self.lead_ns.saturating_sub(DOWN_NS)
        };
    }

    /// When a packet came by which the thread was woken at `woken`, having slept since `asleep`: a packet ends a long sleep as
    /// late as the timer does, and the time until the thread runs is no part of its way. By the quickest of the last
    /// wake-ups, as a packet must not arrive before its time.
    pub(crate) fn came_at(&self, asleep: u64, woken: u64) -> u64 {
        let is_long = woken.saturating_sub(asleep) >= LAST_SLEEP_NS;
        let late = self.long_ns.iter().min().filter(|_| is_long);
        woken.saturating_sub(late.copied().unwrap_or(0))
    }

    /// How to wait for `due`, when it is `now`.
    pub(crate) fn plan(&mut self, now: u64, due: u64) -> Wait {
        let passed = now.saturating_sub(self.seen);
        self.seen = now;
        let spent = if self.awake { passed } else { 0 };
        self.saved_ns = (self.saved_ns + passed / SHARE).min(SAVED_NS).saturating_sub(spent);
        let left = due.saturating_sub(now);
        let near = left <= self.lead_ns;
        self.awake = near && self.saved_ns > self.lead_ns;
        self.long = left > 2 * LAST_SLEEP_NS;
        match (near, self.awake) {
            (_, true) => Wait::Awake,
            (true, false) => Wait::Until(due),
            (false, false) if self.long => Wait::Until(due - LAST_SLEEP_NS),
            (false, false) => Wait::Until(due - self.lead_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(lateness_ns: u64) -> EarlyWake {
        let mut lead = EarlyWake::default();
        for _ in 0..1000 {
            lead.rang_late(lateness_ns);
        }
        lead
    }

    #[test]
    fn follows_the_lateness_up_to_a_limit() {
        assert!(trained(40_000).lead_ns.abs_diff(40_000) <= UP_NS);
        assert_eq!(trained(5_000_000).lead_ns, LONGEST_NS);
        let mut lead = trained(5_000_000);
        for _ in 0..1000 {
            lead.rang_late(0);
        }
        assert_eq!(lead.lead_ns, 0);
    }

    #[test]
    fn sleeps_until_shortly_before_a_deadline_and_waits_out_the_rest() {
        let mut lead = trained(5_000_000);
        lead.plan(0, 50_000_000);
        assert_eq!(lead.plan(49_000_000, 50_000_000), Wait::Until(50_000_000 - LONGEST_NS));
        assert_eq!(lead.plan(50_000_000 - LONGEST_NS, 50_000_000), Wait::Awake);
    }

    #[test]
    fn a_long_sleep_ends_twice_and_only_its_second_end_counts() {
        let mut lead = trained(40_000);
        let before = lead.lead_ns;
        assert_eq!(lead.plan(0, 50_000_000), Wait::Until(49_000_000));
        lead.rang_late(500_000);
        assert_eq!(lead.lead_ns, before);
        assert_eq!(lead.plan(49_500_000, 50_000_000), Wait::Until(50_000_000 - before));
        lead.rang_late(500_000);
        assert_eq!(lead.lead_ns, before + UP_NS);
        // One that is not much longer than the last sleep would be is not broken.
        assert_eq!(lead.plan(50_000_000, 52_000_000), Wait::Until(52_000_000 - before - UP_NS));
    }

    #[test]
    fn a_packet_that_ends_a_long_sleep_came_before_the_thread_ran() {
        let mut lead = trained(10_000);
        assert_eq!(lead.came_at(0, 30_000_000), 30_000_000, "nothing is known yet");
        let mut sleep = |lateness| {
            lead.plan(0, 50_000_000);
            lead.rang_late(lateness);
        };
        sleep(20_000);
        (1..LONG_SLEEPS).for_each(|_| sleep(60_000));
        assert_eq!(lead.came_at(0, 30_000_000), 30_000_000 - 20_000);
        lead.plan(0, 50_000_000);
        lead.rang_late(60_000);
        assert_eq!(lead.came_at(0, 30_000_000), 30_000_000 - 60_000, "the quickest is long ago");
        // A processor that has just run is there at once.
        assert_eq!(lead.came_at(29_500_000, 30_000_000), 30_000_000);
        assert!(lead.lead_ns.abs_diff(10_000) <= UP_NS);
    }

    #[test]
    fn is_awake_no_more_than_its_share() {
        let mut lead = trained(50_000);
        // Without time saved up it sleeps to the end, and rings no earlier than that.
        assert_eq!(lead.plan(0, 20_000), Wait::Until(20_000));
        let (mut now, mut awake) = (0, 0);
        while now < 1_000_000_000 {
            // There is always a deadline in reach.
            if lead.plan(now, now + 20_000) == Wait::Awake {
                awake += 1_000;
            }
            now += 1_000;
        }
        assert!((50_000_000..=100_000_000 + SAVED_NS).contains(&awake), "{awake}");
    }
}

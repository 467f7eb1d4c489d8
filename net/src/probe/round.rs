//! One round of probes, as a state machine without sockets and clocks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::{ProbeConfig, ProbeResult, Stamp};

/// One request to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) target: Ipv4Addr,
    pub(super) sequence: u16,
}

impl Stamp {
    /// The time from `self` to `reply`. The wall clocks are nearer to the wire, and are believed unless they say what
    /// cannot be: less than nothing, or more than the steady clock saw.
    fn until(self, reply: Stamp) -> Duration {
        let steady = reply.steady.saturating_duration_since(self.steady);
        match (self.wall, reply.wall) {
            (Some(sent), Some(received)) => match received.duration_since(sent) {
                Ok(wall) if wall <= steady && !wall.is_zero() => wall,
                _ => steady,
            },
            _ => steady,
        }
    }
}

#[derive(Debug)]
struct Target {
    result: ProbeResult,
    /// Requests still to be sent.
    left: u16,
}

/// A request that waits for its reply.
#[derive(Debug)]
struct Waiting {
    target: Ipv4Addr,
    sent: Stamp,
    deadline: Instant,
}

/// The state of a round.
#[derive(Debug)]
pub(super) struct Round {
    config: ProbeConfig,
    targets: BTreeMap<Ipv4Addr, Target>,
    /// Targets whose next request may be sent, from when on.
    due: BTreeSet<(Instant, Ipv4Addr)>,
    /// Targets that have not begun, in reverse order.
    rest: Vec<Ipv4Addr>,
    /// Targets that have begun and are not done.
    active: usize,
    waiting: HashMap<u16, Waiting>,
    deadlines: BTreeSet<(Instant, u16)>,
    /// Of the next request.
    sequence: u16,
}

impl Round {
    /// A round whose requests are numbered from `sequence`.
    pub(super) fn new(config: &ProbeConfig, targets: impl IntoIterator<Item = Ipv4Addr>, sequence: u16) -> Self {
        let targets: BTreeMap<_, _> = targets
            .into_iter()
            .map(|target| (target, Target { result: ProbeResult::default(), left: config.probes }))
            .collect();
        let rest = if config.probes == 0 { Vec::new() } else { targets.keys().rev().copied().collect() };
        Self {
            config: config.clone(),
            targets,
            due: BTreeSet::new(),
            rest,
            active: 0,
            waiting: HashMap::new(),
            deadlines: BTreeSet::new(),
            sequence,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// The number of the next request.
    pub(super) fn sequence(&self) -> u16 {
        self.sequence
    }

    /// The next request that may be sent now.
    pub(super) fn next_probe(&mut self, now: Instant) -> Option<Probe> {
        // As many requests wait at a time as there are sequence numbers, at most.
        if self.waiting.len() > usize::from(u16::MAX) / 2 {
            return None;
        }
        let target = match self.due.first() {
            Some(&(when, target)) if when <= now => {
                self.due.pop_first();
                target
            }
            _ if self.active < self.config.concurrency.max(1) => {
                let target = self.rest.pop()?;
                self.active += 1;
                target
            }
            _ => return None,
        };
        while self.waiting.contains_key(&self.sequence) {
            self.sequence = self.sequence.wrapping_add(1);
        }
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        Some(Probe { target, sequence })
    }

    /// The request could not be sent yet and is due again at once.
    pub(super) fn put_back(&mut self, probe: Probe, now: Instant) {
        self.due.insert((now, probe.target));
    }

    /// The request was sent.
    pub(super) fn sent(&mut self, probe: Probe, sent: Stamp) {
        self.count_sent(probe.target);
        let deadline = sent.steady + self.config.timeout;
        self.waiting.insert(probe.sequence, Waiting { target: probe.target, sent, deadline });
        self.deadlines.insert((deadline, probe.sequence));
    }

    /// The kernel would not send the request.
    pub(super) fn refused(&mut self, probe: Probe, error: &io::Error, now: Instant) {
        self.count_sent(probe.target);
        self.lost(probe.target, Some(error.to_string()));
        self.go_on(probe.target, now + self.config.interval);
    }

    /// A reply came. It counts if it is from the address that the request of that number went to.
    pub(super) fn replied(&mut self, from: Ipv4Addr, sequence: u16, received: Stamp) {
        let Some(waiting) = self.take(from, sequence) else { return };
        // It came in time by the clock even if we look at it late.
        let rtt = waiting.sent.until(received);
        if rtt > self.config.timeout {
            self.lost(from, None);
        } else if let Some(target) = self.targets.get_mut(&from) {
            target.result.received += 1;
            let at = target.result.rtts.partition_point(|other| *other <= rtt);
            target.result.rtts.insert(at, rtt);
        }
        self.go_on(from, waiting.sent.steady + self.config.interval);
    }

    /// Someone said that the requests to this target are bigger than a link takes.
    pub(super) fn too_big(&mut self, target: Ipv4Addr, mtu: Option<u16>) {
        if let Some(target) = self.targets.get_mut(&target) {
            target.result.too_big = mtu.or(target.result.too_big);
        }
    }

    /// Someone on the way reported that the request cannot arrive.
    pub(super) fn failed(&mut self, target: Ipv4Addr, sequence: u16, error: &str) {
        let Some(waiting) = self.take(target, sequence) else { return };
        self.lost(target, Some(error.to_owned()));
        self.go_on(target, waiting.sent.steady + self.config.interval);
    }

    /// Gives up the requests whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(&(deadline, sequence)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            let Some(target) = self.waiting.get(&sequence).map(|waiting| waiting.target) else { break };
            let Some(waiting) = self.take(target, sequence) else { break };
            self.lost(target, None);
            self.go_on(target, waiting.sent.steady + self.config.interval);
        }
    }

    /// When something is to be done again; none once the round is over.
    pub(super) fn wake(&self) -> Option<Instant> {
        let due = self.due.first().map(|(when, _)| *when);
        let deadline = self.deadlines.first().map(|(when, _)| *when);
        due.into_iter().chain(deadline).min()
    }

    /// The results of a round that is over.
    pub(super) fn finish(self) -> BTreeMap<Ipv4Addr, ProbeResult> {
        self.targets.into_iter().map(|(address, target)| (address, target.result)).collect()
    }

    fn take(&mut self, target: Ipv4Addr, sequence: u16) -> Option<Waiting> {
        self.waiting.get(&sequence).filter(|waiting| waiting.target == target)?;
        let waiting = self.waiting.remove(&sequence)?;
        self.deadlines.remove(&(waiting.deadline, sequence));
        Some(waiting)
    }

    fn count_sent(&mut self, target: Ipv4Addr) {
        if let Some(target) = self.targets.get_mut(&target) {
            target.result.sent += 1;
            target.left -= 1;
        }
    }

    fn lost(&mut self, target: Ipv4Addr, error: Option<String>) {
        if let Some(target) = self.targets.get_mut(&target) {
            target.result.last_error = error.or(target.result.last_error.take());
        }
    }

    fn go_on(&mut self, target: Ipv4Addr, when: Instant) {
        match self.targets.get(&target) {
            Some(state) if state.left > 0 => {
                self.due.insert((when, target));
            }
            _ => self.active -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(9, 0, 0, 1);
    const TWO: Ipv4Addr = Ipv4Addr::new(9, 0, 0, 2);

    fn config() -> ProbeConfig {
        ProbeConfig { probes: 2, timeout: ms(100), interval: ms(10), concurrency: 1, ..ProbeConfig::default() }
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A clock that only the test moves.
    struct Clock(Instant);

    impl Clock {
        fn at(&self, millis: u64) -> Instant {
            self.0 + ms(millis)
        }

        fn stamp(&self, millis: u64) -> Stamp {
            Stamp { steady: self.at(millis), wall: None }
        }
    }

    fn probe(target: Ipv4Addr, sequence: u16) -> Option<Probe> {
        Some(Probe { target, sequence })
    }

    #[test]
    fn targets_follow_each_other_within_the_limit() {
        let clock = Clock(Instant::now());
        let mut round = Round::new(&config(), [TWO, ONE, ONE], 0);
        assert_eq!(round.next_probe(clock.at(0)), probe(ONE, 0));
        round.sent(Probe { target: ONE, sequence: 0 }, clock.stamp(0));
        assert_eq!(round.next_probe(clock.at(0)), None);
        round.replied(ONE, 0, clock.stamp(4));
        // The second request keeps its distance from the first.
        assert_eq!((round.next_probe(clock.at(9)), round.wake()), (None, Some(clock.at(10))));
        assert_eq!(round.next_probe(clock.at(10)), probe(ONE, 1));
        round.sent(Probe { target: ONE, sequence: 1 }, clock.stamp(10));
        round.replied(ONE, 1, clock.stamp(12));
        assert_eq!(round.next_probe(clock.at(12)), probe(TWO, 2));
        round.sent(Probe { target: TWO, sequence: 2 }, clock.stamp(12));
        round.expire(clock.at(112));
        assert_eq!(round.next_probe(clock.at(112)), probe(TWO, 3));
        round.sent(Probe { target: TWO, sequence: 3 }, clock.stamp(112));
        assert_eq!(round.wake(), Some(clock.at(212)));
        round.expire(clock.at(212));
        assert_eq!((round.next_probe(clock.at(212)), round.wake()), (None, None));
        let expected = BTreeMap::from([
            (
                ONE,
                ProbeResult {
                    sent: 2,
                    received: 2,
                    rtts: vec![ms(2), ms(4)],
                    last_error: None,
                    ..ProbeResult::default()
                },
            ),
            (TWO, ProbeResult { sent: 2, received: 0, rtts: vec![], last_error: None, ..ProbeResult::default() }),
        ]);
        assert_eq!(round.finish(), expected);
    }

    #[test]
    fn only_the_reply_that_was_asked_for_counts_and_once() {
        let clock = Clock(Instant::now());
        let mut round = Round::new(&ProbeConfig { probes: 1, concurrency: 2, ..config() }, [ONE, TWO], 0);
        for sequence in 0..2 {
            let probe = round.next_probe(clock.at(0)).unwrap();
            assert_eq!(probe.sequence, sequence);
            round.sent(probe, clock.stamp(0));
        }
        round.replied(TWO, 0, clock.stamp(1));
        round.replied(ONE, 7, clock.stamp(1));
        round.failed(TWO, 0, "of another");
        round.replied(ONE, 0, clock.stamp(3));
        round.replied(ONE, 0, clock.stamp(4));
        // In time by its stamp is in time, and after its time it is lost however late we look.
        round.replied(TWO, 1, clock.stamp(101));
        let results = round.finish();
        assert_eq!(
            results[&ONE],
            ProbeResult { sent: 1, received: 1, rtts: vec![ms(3)], last_error: None, ..ProbeResult::default() }
        );
        assert_eq!(
            results[&TWO],
            ProbeResult { sent: 1, received: 0, rtts: vec![], last_error: None, ..ProbeResult::default() }
        );
    }

    #[test]
    fn errors_are_kept_and_end_the_wait() {
        let clock = Clock(Instant::now());
        let mut round = Round::new(&config(), [ONE], 0);
        let probe = round.next_probe(clock.at(0)).unwrap();
        round.refused(probe, &io::Error::from_raw_os_error(libc::ENETUNREACH), clock.at(0));
        assert_eq!(round.next_probe(clock.at(9)), None);
        let probe = round.next_probe(clock.at(10)).unwrap();
        round.sent(probe, clock.stamp(10));
        round.failed(ONE, probe.sequence, "host unreachable, says 9.9.9.9");
        assert_eq!(round.wake(), None);
        let last_error = Some("host unreachable, says 9.9.9.9".to_owned());
        assert_eq!(
            round.finish()[&ONE],
            ProbeResult { sent: 2, received: 0, rtts: vec![], last_error, ..ProbeResult::default() }
        );
    }

    #[test]
    fn a_request_put_back_is_still_to_be_sent() {
        let clock = Clock(Instant::now());
        let mut round = Round::new(&config(), [ONE], 0);
        let first = round.next_probe(clock.at(0)).unwrap();
        round.put_back(first, clock.at(0));
        let again = round.next_probe(clock.at(0)).unwrap();
        assert_eq!(again.target, ONE);
        round.sent(again, clock.stamp(0));
        assert_eq!(round.finish()[&ONE].sent, 1);
    }

    #[test]
    fn a_jump_of_the_wall_clock_is_no_round_trip() {
        let clock = Clock(Instant::now());
        let wall = SystemTime::now();
        let sent = Stamp { steady: clock.at(0), wall: Some(wall) };
        let received = |after: Duration| Stamp { steady: clock.at(5), wall: Some(wall + after) };
        assert_eq!(sent.until(received(ms(4))), ms(4));
        assert_eq!(sent.until(received(Duration::from_secs(3600))), ms(5));
        let back = Stamp { steady: clock.at(5), wall: Some(wall - Duration::from_secs(3600)) };
        assert_eq!(sent.until(back), ms(5));
    }

    #[test]
    fn no_targets_and_no_probes_are_over_at_once() {
        let now = Instant::now();
        let mut round = Round::new(&config(), [], 0);
        assert_eq!((round.next_probe(now), round.wake()), (None, None));
        let mut round = Round::new(&ProbeConfig { probes: 0, ..config() }, [ONE], 0);
        assert_eq!((round.next_probe(now), round.wake()), (None, None));
        assert_eq!(round.finish()[&ONE], ProbeResult::default());
    }

    #[test]
    fn the_summary_of_a_result() {
        let rtts = vec![ms(1), ms(2), ms(3), ms(10)];
        let result = ProbeResult { sent: 5, received: 4, rtts, last_error: None, ..ProbeResult::default() };
        assert_eq!((result.min(), result.median(), result.max()), (Some(ms(1)), Some(ms(2)), Some(ms(10))));
        assert_eq!((result.mean(), result.lost(), result.loss()), (Some(ms(4)), 1, 0.2));
        let none = ProbeResult { sent: 3, ..ProbeResult::default() };
        assert_eq!((none.min(), none.median(), none.max(), none.mean()), (None, None, None, None));
        assert_eq!((none.loss(), none.reachable()), (1.0, false));
    }
}

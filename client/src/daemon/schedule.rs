//! Schedule of probes: endpoints that can be chosen, when a choice is about to be made.
//!
//! Who asks gets answers of the nearest devices that are no older than a period, and of the rest no older than
//! [`ALL_ASKED`]. As long as there are requests, there is a round each period; when nobody does, the pauses double, and
//! the nearest are asked once: what is chosen rests on a later round. A round that somebody waits for is thorough for the
//! nearest devices and asks the rest once, and seldom.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use solana_pubkey::Pubkey;
use tokio::time::Instant;

use super::targets::Target;

/// Up to this number, endpoints are probed as thoroughly as one alone: there is nothing to save.
pub(super) const FEW: usize = 16;
/// Devices that are nearest: what a client chooses among, with room for some that are full.
const NEAREST: usize = 8;
/// The longest pause between two rounds that nobody asked for, in periods.
const LONGEST: u32 = 16;
/// Periods after which a round is of all endpoints again if somebody asks for it, and if nobody does.
const ALL_ASKED: u32 = 8;
const ALL_UNASKED: u32 = 8 * LONGEST;
/// Periods after a question in which more are expected, and the longest time: who waits asks more often.
const ATTENTION: u32 = 2;
const LONGEST_ATTENTION: Duration = Duration::from_secs(5);

/// Which endpoints a round asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those of the nearest devices and those that do not answer, once: whether they are still there.
    Glance,
    /// Those of the nearest devices with all probes, and those that do not answer.
    Near,
    /// Those of the nearest devices, and the rest once.
    Rest,
    /// All there are, with all probes.
    All,
}

/// The times of rounds.
#[derive(Debug)]
pub(super) struct Schedule {
    period: Duration,
    /// Of the last round, in periods.
    pause: u32,
    /// None before the first round.
    last: Option<Last>,
    asked: Option<Instant>,
    /// Whether the next round is to be thorough for all.
    thorough: bool,
}

/// When the last round of a kind began.
#[derive(Clone, Copy, Debug)]
struct Last {
    any: Instant,
    /// With all probes for the nearest.
    near: Instant,
    /// Of all endpoints.
    all: Instant,
}

impl Schedule {
    /// With so long between two rounds while somebody asks.
    pub(super) fn new(period: Duration) -> Self {
        Self { period, pause: 1, last: None, asked: None, thorough: false }
    }

    /// When the next round is due.
    pub(super) fn due(&self, now: Instant) -> Instant {
        match self.last {
            // Who asks is answered for the rest as well.
            Some(last) if !self.thorough && self.is_asked(now) => {
                (last.near + self.period).min(last.all + self.period * ALL_ASKED)
            }
            Some(last) if !self.thorough => last.any + self.period * self.pause,
            _ => now,
        }
    }

    fn is_asked(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| now < asked + (self.period * ATTENTION).min(LONGEST_ATTENTION))
    }

    /// Somebody asks; true if a round is due, as what is known is too old for an answer, or not thorough where that is
    /// asked for.
    pub(super) fn asked(&mut self, now: Instant, thorough: bool) -> bool {
        self.asked = Some(now);
        self.pause = 1;
        self.thorough |= thorough;
        self.due(now) <= now
    }

    /// A round begins now, of what this says for this number of endpoints.
    pub(super) fn begin(&mut self, now: Instant, endpoints: usize) -> Extent {
        let is_asked = self.is_asked(now);
        let first = self.last.is_none();
        self.pause = if is_asked || first { 1 } else { LONGEST.min(2 * self.pause) };
        let all = self.period * if is_asked { ALL_ASKED } else { ALL_UNASKED };
        let extent = match self.last {
            _ if std::mem::take(&mut self.thorough) => Extent::All,
            Some(last) if now >= last.all + all => Extent::Rest,
            Some(_) if is_asked || endpoints <= FEW => Extent::Near,
            Some(_) => Extent::Glance,
            None => Extent::Rest,
        };
        let last = self.last.unwrap_or(Last { any: now, near: now, all: now });
        self.last = Some(match extent {
            Extent::Glance => Last { any: now, ..last },
            Extent::Near => Last { any: now, near: now, ..last },
            Extent::Rest | Extent::All => Last { any: now, near: now, all: now },
        });
        extent
    }
}

/// The endpoints to be probed thoroughly: those of the nearest devices, or all if they are few.
pub(super) fn near(targets: &[Target], rtt: impl Fn(Ipv4Addr) -> Option<Duration>) -> BTreeSet<Ipv4Addr> {
    if targets.len() <= FEW {
        return targets.iter().map(|(_, address)| *address).collect();
    }
    let mut devices: BTreeMap<Pubkey, Duration> = BTreeMap::new();
    for (device, rtt) in targets.iter().filter_map(|(device, address)| Some((*device, rtt(*address)?))) {
        devices.entry(device).and_modify(|nearest| *nearest = rtt.min(*nearest)).or_insert(rtt);
    }
    let mut devices: Vec<_> = devices.into_iter().map(|(device, rtt)| (rtt, device)).collect();
    devices.sort_unstable();
    let nearest: BTreeSet<_> = devices.into_iter().take(NEAREST).map(|(_, device)| device).collect();
    targets.iter().filter(|(device, _)| nearest.contains(device)).map(|(_, address)| *address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(2);

    const MANY: usize = FEW + 1;

    /// Begins rounds of many when they are due, and says after how many periods each began and what it was of.
    fn rounds(schedule: &mut Schedule, start: Instant, count: usize) -> Vec<(u32, Extent)> {
        let mut now = start;
        (0..count)
            .map(|_| {
                now = schedule.due(now);
                let extent = schedule.begin(now, MANY);
                (u32::try_from((now - start).as_millis() / PERIOD.as_millis()).unwrap(), extent)
            })
            .collect()
    }

    #[test]
    fn nobody_asks_and_the_pauses_double_up_to_a_limit() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD);
        use Extent::{Glance, Rest};
        let expected = [(0, Rest), (1, Glance), (3, Glance), (7, Glance), (15, Glance), (31, Glance), (47, Glance)];
        assert_eq!(rounds(&mut schedule, start, 7), expected);
        // All of them are asked again some time.
        let later = rounds(&mut schedule, start + 47 * PERIOD, 7);
        assert_eq!(later.iter().filter(|(_, extent)| *extent == Rest).count(), 1, "{later:?}");
    }

    #[test]
    fn who_asks_has_what_is_no_older_than_a_period() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD);
        assert!(schedule.asked(start, false));
        assert_eq!(schedule.begin(start, MANY), Extent::Rest);
        assert!(!schedule.asked(start + PERIOD / 2, false));
        assert_eq!(schedule.due(start), start + PERIOD);
        rounds(&mut schedule, start, 6);
        // Long after, the far ones are old as well.
        let later = start + 100 * PERIOD;
        assert!(schedule.asked(later, false));
        assert_eq!(schedule.begin(later, MANY), Extent::Rest);
        assert!(!schedule.asked(later + PERIOD / 2, false));
        assert!(schedule.asked(later + PERIOD, false));
        assert_eq!(schedule.begin(later + PERIOD, MANY), Extent::Near);
        assert_eq!(schedule.due(later), later + 2 * PERIOD);
    }

    #[test]
    fn a_round_of_the_near_a_moment_ago_does_not_answer_for_the_rest() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD);
        rounds(&mut schedule, start, 7);
        // The last of these was of the near alone, and that of all is 47 periods old.
        let now = start + 47 * PERIOD + PERIOD / 2;
        assert!(schedule.asked(now, false));
        assert_eq!(schedule.begin(now, MANY), Extent::Rest);
        assert!(!schedule.asked(now + PERIOD / 2, false));
    }

    #[test]
    fn a_glance_is_no_answer() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD);
        rounds(&mut schedule, start, 2);
        // The last of these was a glance, and a thorough round of the near is a period old.
        let now = start + PERIOD * 3 / 2;
        assert!(schedule.asked(now, false));
        assert_eq!(schedule.begin(now, MANY), Extent::Near);
        assert!(!schedule.asked(now + PERIOD / 2, false));
        assert_eq!(schedule.due(now + PERIOD / 2), now + PERIOD);
    }

    #[test]
    fn a_single_question_makes_one_round() {
        let (start, period) = (Instant::now(), Duration::from_secs(30));
        let mut schedule = Schedule::new(period);
        assert!(schedule.asked(start, false));
        assert_eq!(schedule.begin(start, MANY), Extent::Rest);
        assert_eq!(schedule.due(start + LONGEST_ATTENTION), start + period);
        assert_eq!(schedule.begin(start + period, MANY), Extent::Glance);
    }

    #[test]
    fn of_few_each_round_is_an_answer() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD);
        schedule.begin(start, FEW);
        assert_eq!(schedule.begin(start + PERIOD, FEW), Extent::Near);
        assert!(!schedule.asked(start + PERIOD * 3 / 2, false));
    }

    #[test]
    fn a_thorough_answer_is_a_round_of_its_own() {
        let start = Instant::now();
        let mut schedule = Schedule::new(PERIOD);
        schedule.asked(start, false);
        rounds(&mut schedule, start, 2);
        let now = start + PERIOD * 3 / 2;
        assert!(!schedule.asked(now, false));
        assert!(schedule.asked(now, true));
        // Who asks until it begins waits for it.
        assert!(schedule.asked(now, false));
        assert_eq!(schedule.begin(now, MANY), Extent::All);
        assert!(!schedule.asked(now, false));
        assert_eq!(schedule.begin(now + PERIOD, MANY), Extent::Near);
    }

    #[test]
    fn of_many_the_nearest_devices_are_probed_with_all_their_endpoints() {
        let target =
            |device: u8, number: u8| (Pubkey::new_from_array([device; 32]), Ipv4Addr::new(9, 0, device, number));
        let targets: Vec<Target> = (0..20).flat_map(|device| [target(device, 1), target(device, 2)]).collect();
        // The higher the number the nearer, and only the first endpoint of each answers.
        let rtt = |address: Ipv4Addr| {
            let [.., device, number] = address.octets();
            (number == 1).then(|| Duration::from_millis(100 - u64::from(device)))
        };
        let expected = (12..20).flat_map(|device| [target(device, 1).1, target(device, 2).1]).collect();
        assert_eq!(near(&targets, rtt), expected);
        assert_eq!(near(&targets, |_| None), BTreeSet::new());
        let few = &targets[..16];
        assert_eq!(near(few, |_| None), few.iter().map(|(_, address)| *address).collect());
    }
}

//! Notifications on their way to one client, with what may happen to them there. Pure: time and dice are given.

use std::collections::BTreeMap;

use rand::{Rng, rngs::SmallRng};
use tokio::time::Instant;

use crate::faults::{Hits, NotificationFaults};

pub(crate) struct Delivery {
    dice: SmallRng,
    /// By when they are due, then by when they came.
    waiting: BTreeMap<(Instant, u64), String>,
    bytes: usize,
    offered: u64,
    /// When the last one in order is due: none passes it unless reordering is asked for.
    last_due: Option<Instant>,
}

impl Delivery {
    pub(crate) fn new(dice: SmallRng) -> Self {
        Self { dice, waiting: BTreeMap::new(), bytes: 0, offered: 0, last_due: None }
    }

    /// Takes a notification over, and counts what befalls it.
    pub(crate) fn offer(&mut self, now: Instant, faults: &NotificationFaults, notification: String, hits: &mut Hits) {
        if faults.drop.happens(&mut self.dice) {
            hits.dropped += 1;
            return;
        }
        hits.delayed += u64::from(!faults.delay.is_zero() || !faults.jitter.is_zero());
        let mut due = now + faults.delay;
        if !faults.jitter.is_zero() {
            due += faults.jitter.mul_f64(self.dice.random());
        }
        let due = self.last_due.map_or(due, |last| last.max(due));
        if faults.duplicate.happens(&mut self.dice) {
            hits.duplicated += 1;
            self.put(due, notification.clone());
        }
        if faults.reorder.happens(&mut self.dice) {
            self.put(due + faults.reorder_by, notification);
        } else {
            self.put(due, notification);
            self.last_due = Some(due);
        }
    }

    /// Takes out the next one that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<String> {
        match self.waiting.first_key_value() {
            Some(((due, _), _)) if *due <= now => {
                let (_, notification) = self.waiting.pop_first()?;
                self.bytes -= notification.len();
                Some(notification)
            }
            _ => None,
        }
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of those that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn put(&mut self, due: Instant, notification: String) {
        self.bytes += notification.len();
        self.offered += 1;
        self.waiting.insert((due, self.offered), notification);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;

    use super::*;
    use crate::faults::Chance;

    const MS: Duration = Duration::from_millis(1);

    /// Offers numbers one millisecond apart; returns each that comes, with the millisecond it comes in.
    fn run(faults: &NotificationFaults, count: u32) -> Vec<(u32, u32)> {
        let start = Instant::now();
        let mut delivery = Delivery::new(SmallRng::seed_from_u64(1));
        let mut came = Vec::new();
        for tick in 0..1000 {
            let now = start + MS * tick;
            if tick < count {
                delivery.offer(now, faults, tick.to_string(), &mut Hits::default());
            }
            while let Some(notification) = delivery.pop_due(now) {
                came.push((notification.parse().unwrap(), tick));
            }
        }
        assert_eq!((delivery.len(), delivery.bytes()), (0, 0));
        came
    }

    fn numbers(came: &[(u32, u32)]) -> Vec<u32> {
        came.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn without_faults_each_comes_once_at_once_in_order() {
        assert_eq!(run(&NotificationFaults::default(), 5), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
    }

    #[test]
    fn a_delay_keeps_the_order() {
        let faults = NotificationFaults { delay: MS * 10, ..NotificationFaults::default() };
        assert_eq!(run(&faults, 3), [(0, 10), (1, 11), (2, 12)]);
    }

    #[test]
    fn jitter_keeps_the_order() {
        let faults = NotificationFaults { delay: MS, jitter: MS * 50, ..NotificationFaults::default() };
        let came = run(&faults, 100);
        assert_eq!(numbers(&came), (0..100).collect::<Vec<_>>());
        assert!(came.iter().all(|(number, tick)| (number + 1..=100 + 52).contains(tick)));
        assert!(came.iter().any(|(number, tick)| tick - number > 20));
    }

    #[test]
    fn dropped_ones_do_not_come_and_duplicates_come_twice() {
        let half = Chance::try_from(0.5).unwrap();
        let dropped = numbers(&run(&NotificationFaults { drop: half, ..NotificationFaults::default() }, 100));
        assert!((30..70).contains(&dropped.len()) && dropped.is_sorted());
        let doubled =
            numbers(&run(&NotificationFaults { duplicate: Chance::ALWAYS, ..NotificationFaults::default() }, 3));
        assert_eq!(doubled, [0, 0, 1, 1, 2, 2]);
        let none = run(&NotificationFaults { drop: Chance::ALWAYS, ..NotificationFaults::default() }, 10);
        assert_eq!(none, []);
    }

    #[test]
    fn reordered_ones_are_passed() {
        let half = Chance::try_from(0.5).unwrap();
        let faults = NotificationFaults { reorder: half, reorder_by: MS * 5, ..NotificationFaults::default() };
        let mut came = numbers(&run(&faults, 50));
        assert!(!came.is_sorted());
        came.sort_unstable();
        assert_eq!(came, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn faults_that_end_do_not_let_new_ones_pass_old_ones() {
        let start = Instant::now();
        let mut delivery = Delivery::new(SmallRng::seed_from_u64(1));
        let mut hits = Hits::default();
        let late = NotificationFaults { delay: MS * 10, ..NotificationFaults::default() };
        delivery.offer(start, &late, "old".into(), &mut hits);
        delivery.offer(start, &NotificationFaults::default(), "new".into(), &mut hits);
        assert_eq!(hits, Hits { delayed: 1, ..Hits::default() });
        assert_eq!(delivery.pop_due(start + MS * 9), None);
        assert_eq!(delivery.next_due(), Some(start + MS * 10));
        let came: Vec<_> = std::iter::from_fn(|| delivery.pop_due(start + MS * 10)).collect();
        assert_eq!(came, ["old", "new"]);
    }
}

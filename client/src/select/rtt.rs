//! Round-trip times of endpoints, and the nearest device.
//!
//! Delay on the way only adds to a round trip, so the shortest of several is nearest to what the path takes: a busy
//! machine moves the median by milliseconds and hardly ever every probe. Decisions take the minimum of a window of
//! rounds; people are shown the median as well.

use std::{collections::VecDeque, net::Ipv4Addr, time::Duration};

/// Rounds that a minimum is taken over: a path that has become longer is seen after this number.
const WINDOW: usize = 3;

/// Round-trip times of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtt {
    /// The shortest of the last rounds: what decides.
    pub min: Duration,
    /// The median of the newest round.
    pub median: Duration,
}

/// A measured endpoint; what the chain says of it comes from the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The endpoint's address.
    pub endpoint: Ipv4Addr,
    /// How far it is; none when no probe was answered.
    pub rtt: Option<Rtt>,
}

/// The shortest round trips of the last rounds of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window(VecDeque<Duration>);

impl Window {
    /// Takes in the shortest round trip of a round. One without an answer starts over: what comes back may have moved.
    pub fn push(&mut self, shortest: Option<Duration>) {
        let Some(shortest) = shortest else { return self.0.clear() };
        self.0.push_back(shortest);
        if self.0.len() > WINDOW {
            self.0.pop_front();
        }
    }

    /// The shortest of them; none when the last round had no answer.
    pub fn min(&self) -> Option<Duration> {
        self.0.iter().min().copied()
    }
}

/// The nearest device, or the present one unless another is nearer by more than the tolerance: what is not worth moving
/// for does not count as nearer. None when nothing answers.
pub fn nearest<'a>(
    results: impl Iterator<Item = (&'a str, Duration)> + Clone,
    present: &'a str,
    tolerance: Duration,
) -> Option<&'a str> {
    let own = results.clone().filter(|(device, _)| *device == present).map(|(_, rtt)| rtt).min();
    let (device, best) = results.min_by_key(|(device, rtt)| (*rtt, *device))?;
    let stays = own.is_some_and(|own| own <= best.saturating_add(tolerance));
    Some(if stays { present } else { device })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn one_delayed_round_moves_nothing_and_a_longer_path_is_seen() {
        let mut window = Window::default();
        assert_eq!(window.min(), None);
        for (shortest, min) in [(5, 5), (9, 5), (9, 5), (9, 9), (4, 4)] {
            window.push(Some(ms(shortest)));
            assert_eq!(window.min(), Some(ms(min)));
        }
        window.push(None);
        assert_eq!(window.min(), None);
        window.push(Some(ms(30)));
        assert_eq!(window.min(), Some(ms(30)));
    }

    #[rstest]
    #[case(&[("nyc1", 9), ("pit1", 5)], Some("nyc1"))]
    #[case(&[("nyc1", 10), ("pit1", 5)], Some("nyc1"))]
    #[case(&[("nyc1", 11), ("pit1", 5)], Some("pit1"))]
    #[case(&[("pit1", 70)], Some("pit1"))]
    #[case(&[("nyc1", 90), ("nyc1", 6), ("pit1", 5)], Some("nyc1"))]
    #[case(&[("pit1", 5), ("ams1", 5)], Some("ams1"))]
    #[case(&[], None)]
    fn the_nearest_device(#[case] results: &[(&str, u64)], #[case] expected: Option<&str>) {
        let results = results.iter().map(|(device, rtt)| (*device, ms(*rtt)));
        assert_eq!(nearest(results, "nyc1", ms(5)), expected);
    }
}

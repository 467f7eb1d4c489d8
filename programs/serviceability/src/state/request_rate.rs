//! Rate limit on requests of a key to the activator, per hour.

use borsh::{BorshDeserialize, BorshSerialize};

/// Seconds in an hour.
const HOUR: i64 = 3600;

/// Requests of one hour that the activator pays the fees of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Requests {
    /// Hours from the Unix epoch to the hour that is counted.
    pub hour: u32,
    /// Requests in it.
    pub count: u32,
}

impl Requests {
    /// Counts further requests at this time, in seconds since the Unix epoch; false when the hour would have more than `most`.
    #[must_use]
    pub fn count(&mut self, unix_time: i64, more: u32, most: u32) -> bool {
        let hour = u32::try_from(unix_time / HOUR).unwrap_or(0);
        if self.hour != hour {
            *self = Self { hour, count: 0 };
        }
        let sum = self.count.checked_add(more).filter(|sum| *sum <= most);
        self.count = sum.unwrap_or(self.count);
        sum.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_hour_starts_from_zero() {
        let mut requests = Requests::default();
        assert!(requests.count(7199, 1, 3) && requests.count(3600, 2, 3));
        assert!(!requests.count(7199, 1, 3));
        assert_eq!(requests, Requests { hour: 1, count: 3 });
        assert!(!requests.count(7200, u32::MAX, 3));
        assert!(requests.count(7200, 1, 3));
        assert!(!requests.count(7200, u32::MAX, 3));
        assert_eq!(requests, Requests { hour: 2, count: 1 });
    }
}

//! A point in time as both programs show it: whole seconds since 1970 in JSON, RFC 3339 for people.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// The first second that has no date in four digits: 10000-01-01.
const END_OF_DATES: u64 = 253_402_300_800;

/// Whole seconds since 1970 by the host's clock, which may be set: good for display, not for measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl From<SystemTime> for UnixTime {
    /// A clock that stands before 1970 stands at 1970.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= END_OF_DATES {
            // Nobody's clock: whoever wrote the number meant something else.
            return write!(f, "{}s after 1970", self.0);
        }
        humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "1970-01-01T00:00:00Z")]
    #[case(1_767_225_600, "2026-01-01T00:00:00Z")]
    #[case(END_OF_DATES - 1, "9999-12-31T23:59:59Z")]
    #[case(END_OF_DATES, "253402300800s after 1970")]
    #[case(u64::MAX, "18446744073709551615s after 1970")]
    fn it_reads_as_a_date(#[case] seconds: u64, #[case] text: &str) {
        assert_eq!(UnixTime(seconds).to_string(), text);
    }

    #[test]
    fn a_clock_before_1970_stands_at_1970() {
        assert_eq!(UnixTime::from(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), UnixTime(0));
    }
}

//! The MTU of a tunnel over a path that may be narrower than hoped (RFC 7588 section 3.2). Pure.

use std::time::{Duration, Instant};

use crate::wire::gre::OVERHEAD;

/// How long a path is believed to be narrow before its tunnel's MTU is tried again (RFC 1191 section 6.3).
const NARROW_FOR: Duration = Duration::from_secs(600);
/// A report of a narrower path than this is taken as this, as the kernel does (`min_pmtu`, ip-sysctl): else anyone who
/// forges one could make a tunnel useless.
const LEAST_PATH: u32 = 552;

/// The MTU a tunnel was made with, and what its path allows. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelMtu {
    configured: u32,
    /// What the path allows, and until when that is believed.
    narrow: Option<(u32, Instant)>,
}

impl TunnelMtu {
    /// The MTU that a tunnel is made with.
    pub fn new(configured: u32) -> Self {
        Self { configured, narrow: None }
    }

    /// What the interface should have now.
    pub fn effective(&self) -> u32 {
        self.narrow.map_or(self.configured, |(mtu, _)| mtu)
    }

    /// Takes note of a path of `path` bytes, outer headers included; true if the effective MTU changes by it. A report
    /// that allows more than is used already is old, and ignored; one that agrees is believed for as long again.
    pub fn lower(&mut self, path: u32, now: Instant) -> bool {
        let mtu = path.max(LEAST_PATH) - OVERHEAD as u32;
        let before = self.effective();
        if mtu > before || mtu >= self.configured {
            return false;
        }
        self.narrow = Some((mtu, now + NARROW_FOR));
        mtu != before
    }

    /// Forgets a note that is too old; true if the effective MTU changes by it.
    pub fn restore(&mut self, now: Instant) -> bool {
        let old = self.restore_at().is_some_and(|until| until <= now);
        if old {
            self.narrow = None;
        }
        old
    }

    /// When the note is too old, if there is one.
    pub fn restore_at(&self) -> Option<Instant> {
        self.narrow.map(|(_, until)| until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_path_is_believed_for_ten_minutes() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut mtu = TunnelMtu::new(1476);
        assert_eq!((mtu.effective(), mtu.restore_at()), (1476, None));
        assert!(mtu.lower(1400, after(0)));
        assert_eq!((mtu.effective(), mtu.restore_at()), (1376, Some(after(600))));
        // Once more the same, and one that is older than what is known.
        assert!(!mtu.lower(1400, after(100)));
        assert!(!mtu.lower(1450, after(200)));
        assert_eq!((mtu.effective(), mtu.restore_at()), (1376, Some(after(700))));
        assert!(mtu.lower(1300, after(300)));
        assert!(!mtu.restore(after(899)));
        assert!(mtu.restore(after(900)));
        assert_eq!((mtu.effective(), mtu.restore_at()), (1476, None));
        assert!(!mtu.restore(after(901)));
    }

    #[test]
    fn a_path_that_is_wide_enough_changes_nothing() {
        let mut mtu = TunnelMtu::new(1476);
        assert!(!mtu.lower(1500, Instant::now()));
        assert!(!mtu.lower(9000, Instant::now()));
        assert_eq!(mtu, TunnelMtu::new(1476));
    }

    #[test]
    fn a_report_below_all_reason_is_taken_as_the_least() {
        for path in [0, 68, 551] {
            let mut mtu = TunnelMtu::new(1476);
            assert!(mtu.lower(path, Instant::now()));
            assert_eq!(mtu.effective(), 528);
        }
        let mut small = TunnelMtu::new(500);
        assert!(!small.lower(0, Instant::now()));
        assert_eq!(small, TunnelMtu::new(500));
    }
}

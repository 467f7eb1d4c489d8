//! The clock of one host, which can be set apart from the world's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use dz_service::WallClock;

/// How far a host's clock is ahead, and how often it was read while it was not right.
#[derive(Debug, Default)]
pub(super) struct HostClock {
    ahead_ns: AtomicI64,
    wrong_times: AtomicU64,
}

impl HostClock {
    /// Sets it this far ahead.
    pub(super) fn set(&self, ahead_ns: i64) {
        self.ahead_ns.store(ahead_ns, Ordering::Relaxed);
    }

    /// How often it was read while it was not right.
    pub(super) fn wrong_times(&self) -> u64 {
        self.wrong_times.load(Ordering::Relaxed)
    }

    /// The time that the host's processes read, from the world's.
    pub(super) fn wall(self: &Arc<Self>, world: WallClock) -> WallClock {
        let clock = Arc::clone(self);
        WallClock::new(move || {
            let now = world.now();
            let ahead_ns = clock.ahead_ns.load(Ordering::Relaxed);
            if ahead_ns != 0 {
                clock.wrong_times.fetch_add(1, Ordering::Relaxed);
            }
            let by = Duration::from_nanos(ahead_ns.unsigned_abs());
            if ahead_ns < 0 { now - by } else { now + by }
        })
    }
}

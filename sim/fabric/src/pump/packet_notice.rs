//! Notifications that packets passed, for callers that would poll otherwise.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wakes the callers that wait for packets to pass.
#[derive(Debug, Default)]
pub(super) struct PacketNotice {
    version: AtomicU64,
    waiting: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

impl PacketNotice {
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    pub(super) fn publish(&self, version: u64) {
        if self.version.swap(version, Ordering::SeqCst) != version && self.waiting.load(Ordering::SeqCst) > 0 {
            let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.changed.notify_all();
        }
    }

    pub(super) fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let deadline = Instant::now() + timeout;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let version = self.version.load(Ordering::SeqCst);
            let left = deadline.saturating_duration_since(Instant::now());
            if version != seen || left.is_zero() {
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                return version;
            }
            guard = self.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

//! The clock of the core.

use crate::error::{FabricError, Result};

/// The monotonic clock, counted from the fabric's start.
#[derive(Debug)]
pub(super) struct Clock {
    /// What the system's clock showed then.
    pub(super) origin_ns: u64,
}

impl Clock {
    pub(super) fn start() -> Result<Self> {
        Ok(Self { origin_ns: monotonic().map_err(|error| FabricError::io("read the clock", error))? })
    }

    pub(super) fn now(&self) -> u64 {
        // The monotonic clock cannot fail once it was read.
        monotonic().map_or(0, |now| now - self.origin_ns)
    }
}

fn monotonic() -> nix::Result<u64> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}

//! Exhausted pools, as reasons that a client or an operator reads.

use std::fmt::Write;

use dz_sdk::program::{network::NetworkV4, state::MAX_REASON_LEN};
use solana_pubkey::Pubkey;

use super::pools::Pools;

/// The most full pools that are named one by one; a reason must fit the chain's limit.
const NAMED: usize = 3;

/// Nothing is left of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shortage(String);

impl Shortage {
    /// `no free address in 45.33.100.0/29 (7 of 7 in use)`
    pub(super) fn of_networks(
        pools: &Pools<'_>,
        what: &str,
        networks: impl ExactSizeIterator<Item = (NetworkV4, Pubkey)>,
    ) -> Self {
        let count = networks.len();
        if count == 0 {
            return Self(format!("no {what}: there is no block or prefix to take it from"));
        }
        let mut reason = format!("no free {what} in ");
        for (index, (net, pool)) in networks.take(NAMED).enumerate() {
            let (used, capacity) = pools.usage(&pool).unwrap_or_default();
            let separator = if index == 0 { "" } else { ", " };
            // Writing into a String cannot fail.
            let _ = write!(reason, "{separator}{net} ({used} of {capacity} in use)");
        }
        if count > NAMED {
            let _ = write!(reason, " and {} more", count - NAMED);
        }
        Self(reason)
    }

    /// `no free tunnel id in 500 to 627 (128 of 128 in use)`
    pub(super) fn of_numbers(pools: &Pools<'_>, what: &str, pool: &Pubkey) -> Self {
        let Some(found) = pools.get(pool) else { return Self::other(format!("no {what}: it has no pool of them")) };
        let (used, capacity) = pools.usage(pool).unwrap_or_default();
        // A unit of a pool of numbers is one number.
        let last = found.base + (found.count - 1);
        Self(format!("no free {what} in {} to {last} ({used} of {capacity} in use)", found.base))
    }

    /// Something else is missing.
    pub(super) fn other(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// Says whose it is: `device nyc1: no free address in ...`
    pub(super) fn of(self, owner: &str) -> Self {
        Self(format!("{owner}: {}", self.0))
    }

    /// The words, cut to what an instruction may carry.
    pub(super) fn into_reason(self) -> String {
        let mut reason = self.0;
        reason.truncate(reason.floor_char_boundary(MAX_REASON_LEN));
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        let long = Shortage::other("é".repeat(MAX_REASON_LEN)).of("device x");
        let reason = long.into_reason();
        assert_eq!(reason.len(), MAX_REASON_LEN);
        assert!(reason.starts_with("device x: éé"));
        assert_eq!(Shortage::other("x".repeat(MAX_REASON_LEN)).of("d").into_reason().len(), MAX_REASON_LEN);
        assert_eq!(Shortage::other(format!("x{}", "é".repeat(MAX_REASON_LEN))).into_reason().len(), MAX_REASON_LEN - 1);
        assert_eq!(Shortage::other("short").into_reason(), "short");
    }
}

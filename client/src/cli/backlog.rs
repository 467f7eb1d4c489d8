//! The work that waits for the activator, as the chain shows it.

use std::collections::BTreeSet;

use dz_sdk::{
    NetworkView,
    program::state::{User, UserStatus},
};
use solana_pubkey::Pubkey;

use crate::select;

/// Users that the activator has something to do for: each with what it waits for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Backlog(BTreeSet<(Pubkey, u8)>);

impl Backlog {
    /// Those who wait in this view. Who waits for a pool to have room is not among them: there is nothing to do for it.
    pub(super) fn of(view: &NetworkView) -> Self {
        let waits = |user: &User| match user.status {
            UserStatus::Pending | UserStatus::Updating => select::lacking(view, user).is_none(),
            UserStatus::Deleting | UserStatus::PendingBan => true,
            UserStatus::Activated | UserStatus::Rejected | UserStatus::Banned => false,
        };
        Self(view.users().iter().filter(|(_, user)| waits(user)).map(|(key, user)| (*key, user.status as u8)).collect())
    }

    /// Whether nobody of those who waited has been served since; newcomers show nothing.
    pub(super) fn stands_still(&self, now: &Self) -> bool {
        !self.0.is_empty() && self.0.is_subset(&now.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(users: &[u8]) -> Backlog {
        Backlog(users.iter().map(|user| (Pubkey::from([*user; 32]), 1)).collect())
    }

    #[test]
    fn one_that_is_served_is_enough_and_newcomers_are_not() {
        let before = backlog(&[1, 2]);
        assert!(before.stands_still(&backlog(&[1, 2])));
        assert!(before.stands_still(&backlog(&[1, 2, 3])));
        assert!(!before.stands_still(&backlog(&[2, 3])));
        assert!(!before.stands_still(&backlog(&[])));
        assert!(!backlog(&[]).stands_still(&backlog(&[])));
        assert!(!backlog(&[]).stands_still(&backlog(&[1])));
    }
}

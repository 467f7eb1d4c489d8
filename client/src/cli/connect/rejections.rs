//! The activator's rejections that a connect goes on after, on another device.

use std::collections::{BTreeMap, BTreeSet};

use dz_sdk::{NetworkView, build, program::state::UserStatus};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::cli::error::CommandError;

/// Users of this connect that were rejected, each with its device, and what the activator said first.
#[derive(Default)]
pub(super) struct Rejections {
    users: BTreeMap<Pubkey, Pubkey>,
    first: Option<CommandError>,
}

impl Rejections {
    /// Notes a rejection.
    ///
    /// # Errors
    /// The same device has rejected this client before: there is no use in asking on.
    pub(super) fn add(&mut self, user: Pubkey, device: Pubkey, error: CommandError) -> Result<(), CommandError> {
        if self.devices().contains(&device) {
            return Err(error);
        }
        self.users.insert(user, device);
        self.first.get_or_insert(error);
        Ok(())
    }

    /// True once there was one.
    pub(super) fn any(&self) -> bool {
        !self.users.is_empty()
    }

    /// Devices that are not asked again.
    pub(super) fn devices(&self) -> BTreeSet<Pubkey> {
        self.users.values().copied().collect()
    }

    /// Removes the rejected users that are still there: they hold nothing, and are of no use any more.
    pub(super) fn delete(&self, view: &NetworkView, payer: &Pubkey) -> Result<Vec<Instruction>, CommandError> {
        let rejected = |key: &&Pubkey| view.user(key).is_some_and(|user| user.status == UserStatus::Rejected);
        let users = self.users.keys().filter(rejected);
        users.map(|key| build::delete_user(view, payer, *key).map_err(CommandError::from)).collect()
    }

    /// The error to end with: where no other device is left after a rejection, that is the reason and not the choice.
    pub(super) fn instead_of(&mut self, error: CommandError) -> CommandError {
        match error {
            CommandError::NoEndpoint(_) | CommandError::Rejected { .. } => self.first.take().unwrap_or(error),
            error => error,
        }
    }
}

//! The activator's rejections that a connect goes on after, on another device.

use std::collections::{BTreeMap, BTreeSet};

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

    /// The error to end with: where no other device is left after a rejection, that is the reason and not the choice.
    pub(super) fn instead_of(&mut self, error: CommandError) -> CommandError {
        match error {
            CommandError::NoEndpoint(_) | CommandError::Rejected { .. } => self.first.take().unwrap_or(error),
            error => error,
        }
    }
}

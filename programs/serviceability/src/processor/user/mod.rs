//! Users: one tunnel of one client each, from the seat they take to the last unit they give back.

pub(super) mod activate;
pub(super) mod ban;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod evict;
pub(super) mod finish_ban;
pub(super) mod reclaim;
pub(super) mod reject;
mod release;
mod roles;
mod seat;
pub(super) mod set_roles;

use crate::{
    error::{Result, ServiceabilityError},
    state::UserStatus,
};

/// Whether a user has a seat and is not already on its way out.
fn check_live(status: UserStatus) -> Result {
    match status {
        UserStatus::Pending | UserStatus::Activated | UserStatus::Updating => Ok(()),
        UserStatus::Rejected => Err(ServiceabilityError::UserRejected),
        UserStatus::Deleting => Err(ServiceabilityError::UserDeleting),
        UserStatus::PendingBan | UserStatus::Banned => Err(ServiceabilityError::UserBanned),
    }
}

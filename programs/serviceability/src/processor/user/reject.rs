//! Refuses a user that cannot be served: a Pending one gives everything back, an Updating one keeps its tunnel.

use super::release;
use crate::{
    accounts::Context,
    error::{Result, ServiceabilityError, ensure},
    state::{User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, reason: String) -> Result {
    ctx.activator()?;
    release::check_reason(&reason)?;
    let mut user = ctx.load::<User>()?;
    match user.status {
        UserStatus::Pending => {
            release::everything(ctx, &mut user)?;
            user.status = UserStatus::Rejected;
        }
        UserStatus::Updating => {
            // What it holds must fit its roles: the new ones that asked for more are stripped before.
            let holds_publisher_ip = user.allocation.is_some_and(|held| held.dz_ip_pool.is_some());
            ensure!(user.is_publisher() == holds_publisher_ip, UserHasRoles);
            user.status = UserStatus::Activated;
        }
        _ => return Err(ServiceabilityError::UserNotPending),
    }
    user.reject_reason = reason;
    ctx.save(&user)
}

//! Bans a user: its tunnel goes, and its pass is barred from now on.

use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    state::{AccessPass, User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let mut pass = ctx.load::<AccessPass>()?;
    let mut user = ctx.load::<User>()?;
    ensure!(*pass.key() == user.access_pass, WrongPass);
    match user.status {
        UserStatus::Pending | UserStatus::Activated | UserStatus::Updating => {}
        UserStatus::Rejected => return Err(ServiceabilityError::UserRejected),
        UserStatus::Deleting => return Err(ServiceabilityError::UserDeleting),
        UserStatus::PendingBan | UserStatus::Banned => return Err(ServiceabilityError::UserBanned),
    }
    user.status = UserStatus::PendingBan;
    pass.banned_users.up()?;
    ctx.save(&pass)?;
    ctx.save(&user)
}

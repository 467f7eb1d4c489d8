//! Starts a user's end. One that holds nothing any more is closed at once; ending a ban frees its pass.

use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    state::{AccessPass, User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let pass = ctx.take()?;
    let mut user = ctx.load::<User>()?;
    let owner = ctx.rent_recipient(&user.owner)?;
    ctx.user_owner(&user)?;
    ensure!(*pass.key == user.access_pass, WrongPass);
    match user.status {
        UserStatus::Pending | UserStatus::Activated | UserStatus::Updating => {
            user.status = UserStatus::Deleting;
            ctx.save(&user)
        }
        UserStatus::Rejected => ctx.close(user, owner),
        UserStatus::Deleting => Err(ServiceabilityError::UserDeleting),
        UserStatus::PendingBan => Err(ServiceabilityError::UserBanned),
        UserStatus::Banned => {
            ctx.foundation()?;
            let mut pass = ctx.read::<AccessPass>(pass)?;
            pass.banned_users.down()?;
            ctx.save(&pass)?;
            ctx.close(user, owner)
        }
    }
}

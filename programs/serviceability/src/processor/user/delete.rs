//! Starts a user's end. One that holds nothing any more is closed at once; ending a ban frees its pass.

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    lists,
    state::{AccessPass, User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteUser<Info<'a, 'info>>,
) -> Result {
    let mut user = ctx.read::<User>(a.user)?;
    ctx.user_owner(&user)?;
    ensure!(*a.access_pass.key == user.access_pass, WrongPass);
    match user.status {
        UserStatus::Pending | UserStatus::Activated | UserStatus::Updating => {
            user.status = UserStatus::Deleting;
            ctx.save(&user)
        }
        UserStatus::Rejected => ctx.close(user, a.user_payer),
        UserStatus::Deleting => Err(ServiceabilityError::UserDeleting),
        UserStatus::PendingBan => Err(ServiceabilityError::UserBanned),
        UserStatus::Banned => {
            ctx.foundation()?;
            let mut pass = ctx.read::<AccessPass>(a.access_pass)?;
            pass.banned_users.down()?;
            ctx.save(&pass)?;
            ctx.close(user, a.user_payer)
        }
    }
}

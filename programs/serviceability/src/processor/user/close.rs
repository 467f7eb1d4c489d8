//! Takes back what a user that goes away holds and closes it.

use super::release;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.activator()?;
    let mut user = ctx.load::<User>()?;
    let owner = ctx.rent_recipient(&user.owner)?;
    ensure!(user.status == UserStatus::Deleting, UserNotDeleting);
    release::everything(ctx, &mut user)?;
    ctx.close(user, owner)
}

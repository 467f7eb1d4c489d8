//! Takes back what a user that is being banned holds: a banned user takes no capacity.

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
    ensure!(user.status == UserStatus::PendingBan, UserNotPendingBan);
    release::everything(ctx, &mut user)?;
    user.status = UserStatus::Banned;
    ctx.save(&user)
}

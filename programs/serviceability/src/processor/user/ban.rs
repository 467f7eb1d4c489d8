//! Bans a user: its tunnel goes, and its pass is barred from now on.

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ensure},
    lists,
    state::{AccessPass, User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::BanUser<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let mut pass = ctx.read::<AccessPass>(a.access_pass)?;
    let mut user = ctx.read::<User>(a.user)?;
    ensure!(*pass.key() == user.access_pass, WrongPass);
    super::check_live(user.status)?;
    user.status = UserStatus::PendingBan;
    pass.banned_users.up()?;
    ctx.save(&pass)?;
    ctx.save(&user)
}

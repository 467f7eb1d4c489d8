//! Ends a user whose payer has no pass for exactly its address, when the payer of such a pass asks.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists, pda,
    state::{AccessPass, User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ReclaimAddress<Info<'a, 'info>>,
) -> Result {
    let pass = ctx.read::<AccessPass>(a.access_pass)?;
    ctx.address_holder(&pass)?;
    let mut user = ctx.read::<User>(a.user)?;
    ensure!(user.client_ip == pass.client_ip, PassForOtherAddress);
    ensure!(pass.banned_users == 0, PassBanned);
    // The user's owner has no pass of this kind itself: there is none at its place.
    let place = pda::access_pass(ctx.program(), user.client_ip, &user.owner, ctx.config.key()).0;
    ensure!(*a.other_named.key == place, WrongAddress);
    ensure!(!ctx.exists(a.other_named)?, OwnAddress);
    super::check_live(user.status)?;
    user.status = UserStatus::Deleting;
    ctx.save(&user)
}

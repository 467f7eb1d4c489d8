//! Says what a pass may do with a group. Roles that users have stay.

use super::GROUPS;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    processor::member,
    state::{AccessPass, MulticastGroup, MulticastGroupStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, publish: bool, subscribe: bool) -> Result {
    let mut pass = ctx.load::<AccessPass>()?;
    let mut group = ctx.load::<MulticastGroup>()?;
    ctx.group_owner(&group)?;
    ensure!(group.status != MulticastGroupStatus::Deleting || !(publish || subscribe), GroupDeleting);
    let key = group.key();
    member::set(&mut pass.publish, key, publish, GROUPS, &mut group.allowlist_count)?;
    member::set(&mut pass.subscribe, key, subscribe, GROUPS, &mut group.allowlist_count)?;
    ctx.save(&group)?;
    ctx.save(&pass)
}

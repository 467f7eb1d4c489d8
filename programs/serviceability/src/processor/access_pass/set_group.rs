//! Says what a pass may do with a group. Roles that users have stay.

use solana_pubkey::Pubkey;

use super::{MAX_GROUPS, add};
use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    state::{AccessPass, MulticastGroup, MulticastGroupStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, publish: bool, subscribe: bool) -> Result {
    let mut pass = ctx.load::<AccessPass>()?;
    let mut group = ctx.load::<MulticastGroup>()?;
    ctx.group_owner(&group)?;
    ensure!(group.status != MulticastGroupStatus::Deleting || !(publish || subscribe), GroupDeleting);
    let key = *group.key();
    set(&mut pass.publish, key, publish, &mut group.allowlist_count)?;
    set(&mut pass.subscribe, key, subscribe, &mut group.allowlist_count)?;
    ctx.save(&group)?;
    ctx.save(&pass)
}

fn set(list: &mut Vec<Pubkey>, group: Pubkey, wanted: bool, count: &mut u32) -> Result {
    match (list.contains(&group), wanted) {
        (false, true) => {
            add(list, group, MAX_GROUPS)?;
            count.up()
        }
        (true, false) => {
            list.retain(|other| *other != group);
            count.down()
        }
        (true, true) | (false, false) => Ok(()),
    }
}

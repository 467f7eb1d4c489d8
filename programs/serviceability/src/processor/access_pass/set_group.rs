//! Says what a pass may do with a group. Roles that users have stay. Who gave the pass may take entries away, so that it
//! can be closed whatever the owners of groups do.

use super::GROUPS;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    processor::key_list,
    state::{AccessPass, MulticastGroup, MulticastGroupStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SetPassGroup<Info<'a, 'info>>,
    publish: bool,
    subscribe: bool,
) -> Result {
    let mut pass = ctx.read::<AccessPass>(a.access_pass)?;
    let mut group = ctx.read::<MulticastGroup>(a.group)?;
    let key = group.key();
    match a.tenant {
        None => ctx.group_owner(&group)?,
        Some(tenant) => {
            super::read_giver(ctx, &pass, Some(tenant))?;
            let adds = |wanted, list: &[_]| wanted && !list.contains(key);
            ensure!(!adds(publish, &pass.publish) && !adds(subscribe, &pass.subscribe), NotGroupOwner);
        }
    }
    ensure!(group.status != MulticastGroupStatus::Deleting || !(publish || subscribe), GroupDeleting);
    key_list::set(&mut pass.publish, key, publish, GROUPS, &mut group.allowlist_count)?;
    key_list::set(&mut pass.subscribe, key, subscribe, GROUPS, &mut group.allowlist_count)?;
    ctx.save(&group)?;
    ctx.save(&pass)
}

//! Says what a pass may do with a group. Roles that users have stay. Who gave the pass and whose it is may take entries away,
//! so that it can be closed and used whatever the owners of groups do.

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
    let new = |wanted, list: &[_]| wanted && !list.contains(key);
    let adds = new(publish, &pass.publish) || new(subscribe, &pass.subscribe);
    match a.tenant {
        // Whose pass it is may do without what it allows, so that no owners of groups fill it up for the others.
        None if !adds && ctx.pass_payer(&pass).is_ok() => {}
        None => ctx.group_owner(&group)?,
        Some(tenant) => {
            super::read_giver(ctx, &pass, Some(tenant))?;
            ensure!(!adds, NotGroupOwner);
        }
    }
    ensure!(group.status != MulticastGroupStatus::Deleting || !(publish || subscribe), GroupDeleting);
    key_list::set(&mut pass.publish, key, publish, GROUPS, &mut group.allowlist_count)?;
    key_list::set(&mut pass.subscribe, key, subscribe, GROUPS, &mut group.allowlist_count)?;
    ctx.save(&group)?;
    ctx.save(&pass)
}

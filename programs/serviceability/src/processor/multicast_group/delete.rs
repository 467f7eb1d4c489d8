//! Starts a group's end; no role and no allowlist may refer to it.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{MulticastGroup, MulticastGroupStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteMulticastGroup<Info<'a, 'info>>,
) -> Result {
    let mut group = ctx.read::<MulticastGroup>(a.group)?;
    ctx.group_owner(&group)?;
    ensure!(group.status != MulticastGroupStatus::Deleting, GroupDeleting);
    let references = [group.publisher_count, group.subscriber_count, group.allowlist_count];
    ensure!(references == [0; 3], GroupInUse);
    group.status = MulticastGroupStatus::Deleting;
    ctx.save(&group)
}

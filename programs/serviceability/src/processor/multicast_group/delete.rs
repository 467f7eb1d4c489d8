//! Starts a group's end; no role and no allowlist may refer to it.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{MulticastGroup, MulticastGroupStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let mut group = ctx.load::<MulticastGroup>()?;
    ctx.group_owner(&group)?;
    ensure!(group.status != MulticastGroupStatus::Deleting, GroupDeleting);
    let references = [group.publisher_count, group.subscriber_count, group.allowlist_count];
    ensure!(references == [0; 3], GroupInUse);
    group.status = MulticastGroupStatus::Deleting;
    ctx.save(&group)
}

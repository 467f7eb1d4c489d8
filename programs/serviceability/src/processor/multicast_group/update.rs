//! Changes a group's owner and bandwidth.

use solana_pubkey::Pubkey;

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{MulticastGroup, MulticastGroupStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, owner: Pubkey, max_bandwidth: u64) -> Result {
    let mut group = ctx.load::<MulticastGroup>()?;
    ctx.group_owner(&group)?;
    ensure!(group.status != MulticastGroupStatus::Deleting, GroupDeleting);
    ensure!(max_bandwidth > 0, InvalidBandwidth);
    group.owner = owner;
    group.max_bandwidth = max_bandwidth;
    ctx.save(&group)
}

//! Changes a group's owner and bandwidth. Also while it goes away: its rent goes to the owner, and a key that cannot
//! take any, such as a sysvar's, would hold it up for ever.

use solana_pubkey::Pubkey;

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::MulticastGroup,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, owner: Pubkey, max_bandwidth: u64) -> Result {
    let mut group = ctx.load::<MulticastGroup>()?;
    ctx.group_owner(&group)?;
    ensure!(max_bandwidth > 0, InvalidBandwidth);
    group.owner = owner;
    group.max_bandwidth = max_bandwidth;
    ctx.save(&group)
}

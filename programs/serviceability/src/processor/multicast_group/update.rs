//! Changes a group's owner and bandwidth.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::MulticastGroup,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::UpdateMulticastGroup<Info<'a, 'info>>,
    owner: Pubkey,
    max_bandwidth: u64,
) -> Result {
    let mut group = ctx.read::<MulticastGroup>(a.group)?;
    ctx.group_owner(&group)?;
    ensure!(max_bandwidth > 0, InvalidBandwidth);
    group.owner = owner;
    group.max_bandwidth = max_bandwidth;
    ctx.save(&group)
}

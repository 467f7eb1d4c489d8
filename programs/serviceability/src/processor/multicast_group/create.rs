//! Creates a group, which then waits for its address.

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    pda::Place,
    state::{MulticastGroup, MulticastGroupStatus},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateMulticastGroup<Info<'a, 'info>>,
    code: String,
    owner: Pubkey,
    max_bandwidth: u64,
) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    ensure!(max_bandwidth > 0, InvalidBandwidth);
    let value = MulticastGroup {
        code: code.clone(),
        owner,
        status: MulticastGroupStatus::Pending,
        address: None,
        max_bandwidth,
        publisher_count: 0,
        subscriber_count: 0,
        allowlist_count: 0,
    };
    ctx.create(a.group, Place::MulticastGroup(&code), value)
}

//! Creates a group, which then waits for its address.

use solana_pubkey::Pubkey;

use crate::{
    accounts::Context,
    error::{Result, ensure},
    pda::Place,
    state::{MulticastGroup, MulticastGroupStatus},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, code: String, owner: Pubkey, max_bandwidth: u64) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    ensure!(max_bandwidth > 0, InvalidBandwidth);
    let info = ctx.take()?;
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
    ctx.create(info, Place::MulticastGroup(&code), value)
}

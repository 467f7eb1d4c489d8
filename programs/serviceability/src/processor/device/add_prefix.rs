//! Registers a prefix that the contributor brings.

use super::{load_owned, push_prefix};
use crate::{
    accounts::{Context, Info},
    address_registry::check_own,
    error::{Result, ensure},
    lists,
    network::NetworkV4,
    processor::contributor::active,
    state::PrefixSource,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::AddDevicePrefix<Info<'a, 'info>>,
    net: NetworkV4,
) -> Result {
    let mut owned = load_owned(ctx, a.contributor, a.device)?;
    active(&owned.contributor)?;
    ensure!(ctx.config.is_prefix_len(net.prefix_len()), InvalidPrefixLength);
    check_own(&ctx.config, net)?;
    // It may lie around live clients: their addresses are passed over when its own are handed out.
    ctx.register(a.registry, net)?;
    let value = push_prefix(ctx, &mut owned.device, net, PrefixSource::Own)?;
    ctx.create_pool(a.pool, value)
}

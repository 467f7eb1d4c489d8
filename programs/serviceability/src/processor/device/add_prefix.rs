//! Registers a prefix that the contributor brings.

use super::{active, check_prefix_len, load_owned, push_prefix};
use crate::{accounts::Context, error::Result, network::NetworkV4, registry::check_own, state::PrefixSource};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, net: NetworkV4) -> Result {
    let mut owned = load_owned(ctx)?;
    active(&owned.contributor)?;
    check_prefix_len(&ctx.config, net.prefix_len())?;
    check_own(&ctx.config, net)?;
    ctx.register(net)?;
    let pool = ctx.take()?;
    let value = push_prefix(ctx, &mut owned.device, net, PrefixSource::Own)?;
    ctx.create_pool(pool, value)
}

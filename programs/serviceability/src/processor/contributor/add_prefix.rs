//! Registers a prefix of a contributor's own, of which its devices get shares.

use super::active;
use crate::{
    accounts::{Context, Info},
    address_registry::check_own,
    error::{Result, ensure},
    lists,
    network::NetworkV4,
    pools::pool_of_network,
    state::{Contributor, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::AddContributorPrefix<Info<'a, 'info>>,
    net: NetworkV4,
) -> Result {
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    ctx.contributor_owner(&contributor)?;
    active(&contributor)?;
    ensure!(contributor.prefixes.len() < Contributor::MAX_PREFIXES, TooManyPrefixes);
    ensure!(ctx.config.is_prefix_len(net.prefix_len()), InvalidPrefixLength);
    check_own(&ctx.config, net)?;
    // It may lie around live clients: their addresses are passed over when its own are handed out.
    ctx.register(a.registry, net)?;
    ctx.create_pool(a.pool, pool_of_network(PoolKind::ContributorPrefix, *contributor.key(), net, 1, 0)?)?;
    contributor.prefixes.push(net);
    ctx.save(&contributor)
}

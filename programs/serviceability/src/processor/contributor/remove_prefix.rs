//! Removes a prefix of a contributor's own of which no device has a share.

use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    state::{Contributor, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::RemoveContributorPrefix<Info<'a, 'info>>,
    net: NetworkV4,
) -> Result {
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    ctx.contributor_owner(&contributor)?;
    let pool = ctx.read_pool(a.pool, PoolKind::ContributorPrefix, contributor.key())?;
    let index = contributor.prefixes.iter().position(|other| *other == net);
    contributor.prefixes.remove(index.ok_or(ServiceabilityError::PrefixNotFound)?);
    ensure!(pool.base == u32::from(net.network()), WrongPool);
    ensure!(pool.used() == 0, PrefixShared);
    ctx.deregister(a.registry, a.registry_payer, net)?;
    ctx.save(&contributor)?;
    ctx.close(pool, a.pool_payer)
}

//! Removes a prefix that nothing uses, closes its pool, and gives it back to where it came from. The activator does
//! it, too, for a device that goes away.

use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    processor::contributor::count_request,
    state::{Contributor, Device, DeviceStatus, PoolKind, PrefixSource},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::RemoveDevicePrefix<Info<'a, 'info>>,
    net: NetworkV4,
) -> Result {
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    let mut device = ctx.read::<Device>(a.device)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    if device.status == DeviceStatus::Deleting {
        ctx.activator()?;
    } else {
        ctx.contributor_owner(&contributor)?;
        // The activator carves another one.
        count_request(ctx, &mut contributor, a.clock, 0)?;
        ctx.save(&contributor)?;
    }
    let pool = ctx.read_pool(a.pool, PoolKind::DevicePrefix, device.key())?;
    let index = device.prefixes.iter().position(|prefix| prefix.net == net);
    let prefix = device.prefixes.remove(index.ok_or(ServiceabilityError::PrefixNotFound)?);
    ensure!(pool.base == u32::from(net.network()), WrongPool);
    ensure!(pool.used() == 0, PrefixInUse);
    match (prefix.source, a.block, a.registry, a.registry_payer) {
        (PrefixSource::Own, None, Some(registry), Some(payer)) => ctx.deregister(registry, payer, net)?,
        (PrefixSource::Carved { pool }, Some(block), None, None) => {
            let mut block = ctx.read_space(block, contributor.key())?;
            ensure!(*block.key() == pool, WrongPool);
            block.release_net(net)?;
            ctx.save(&block)?;
        }
        _ => return Err(ServiceabilityError::WrongPool),
    }
    ctx.save(&device)?;
    ctx.close(pool, a.pool_payer)
}

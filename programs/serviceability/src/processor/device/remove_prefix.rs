//! Removes a prefix that nothing uses, closes its pool, and gives it back to where it came from. The activator does
//! it, too, for a device that goes away.

use crate::{
    accounts::Context,
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    state::{Contributor, Device, DeviceStatus, PoolKind, PrefixSource},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, net: NetworkV4) -> Result {
    let contributor = ctx.load::<Contributor>()?;
    let mut device = ctx.load::<Device>()?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    if device.status == DeviceStatus::Deleting {
        ctx.activator()?;
    } else {
        ctx.contributor_owner(&contributor)?;
    }
    let pool = ctx.load_pool(PoolKind::DevicePrefix, device.key())?;
    let index = device.prefixes.iter().position(|prefix| prefix.net == net);
    let prefix = device.prefixes.remove(index.ok_or(ServiceabilityError::PrefixNotFound)?);
    ensure!(pool.base == u32::from(net.network()), WrongPool);
    ensure!(pool.used() == 0, PrefixInUse);
    match prefix.source {
        PrefixSource::Own => ctx.deregister(net)?,
        PrefixSource::Carved { pool } => {
            let mut block = ctx.load_pool(PoolKind::ContributorBlock, contributor.key())?;
            ensure!(*block.key() == pool, WrongPool);
            block.release_net(net)?;
            ctx.save(&block)?;
        }
    }
    ctx.save(&device)?;
    ctx.close(pool, ctx.signer)
}

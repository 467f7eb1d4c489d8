//! What a user gives back when it goes, is refused or is banned: its seat, its tenant's count, its allocation.

use crate::{
    accounts::{Account, Context},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    state::{AccessPass, Device, Interface, Pool, PoolKind, Tenant, User},
};

/// The accounts that follow: device, interface, pass, the tenant of a user that has one, and the pools its allocation
/// came from: tunnel networks, tunnel ids, and the one of its dz_ip when that is not its client_ip.
pub(super) fn everything<'a, 'info>(ctx: &mut Context<'a, 'info>, user: &mut Account<'a, 'info, User>) -> Result {
    ensure!(user.publishers.is_empty() && user.subscribers.is_empty(), UserHasRoles);
    let mut device = ctx.load::<Device>()?;
    let mut interface = ctx.load::<Interface>()?;
    let mut pass = ctx.load::<AccessPass>()?;
    ensure!(*device.key() == user.device, WrongDevice);
    ensure!(*interface.key() == user.interface, WrongInterface);
    ensure!(*pass.key() == user.access_pass, WrongPass);
    super::seat::give(&mut device, &mut interface, &mut pass, user.user_type, false)?;
    if let Some(key) = user.tenant {
        let mut tenant = ctx.load::<Tenant>()?;
        ensure!(*tenant.key() == key, WrongTenant);
        tenant.reference_count.down()?;
        ctx.save(&tenant)?;
    }
    if let Some(allocation) = user.allocation.take() {
        let mut nets = ctx.load_global_pool(PoolKind::UserTunnelBlock)?;
        ensure!(*nets.key() == allocation.tunnel_pool, WrongPool);
        nets.release_net(allocation.tunnel_net)?;
        ctx.save(&nets)?;
        let mut ids = ctx.load_pool(PoolKind::TunnelIds, device.key())?;
        ids.release(allocation.tunnel_id.into(), 1)?;
        ctx.save(&ids)?;
        if let Some(key) = allocation.dz_ip_pool {
            let mut addresses = ctx.load::<Pool>()?;
            ensure!(*addresses.key() == key, WrongPool);
            addresses.release_ip(allocation.dz_ip)?;
            ctx.save(&addresses)?;
        }
    }
    ctx.save(&device)?;
    ctx.save(&interface)?;
    ctx.save(&pass)
}

/// A reason that people will read.
pub(super) fn check_reason(reason: &str) -> Result {
    let fits = (1..=crate::instruction::MAX_REASON_LEN).contains(&reason.len());
    fits.then_some(()).ok_or(ServiceabilityError::InvalidReason)
}

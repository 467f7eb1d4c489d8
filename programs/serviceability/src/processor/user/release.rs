//! Release of what a user holds when it goes, is refused or is banned: its seat, its address, its tenant's count, its
//! allocation.

use crate::{
    accounts::{Account, Context, Info},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    processor::client,
    state::{AccessPass, Device, Interface, MAX_REASON_LEN, Pool, PoolKind, Tenant, User},
};

/// Where it goes back to. The tenant is that of a user that has one; the pools are those its allocation came from, and
/// the last of them is there when its dz_ip is not its client_ip.
pub(super) struct Holdings<'a, 'info> {
    pub(super) device: Info<'a, 'info>,
    pub(super) interface: Info<'a, 'info>,
    pub(super) access_pass: Info<'a, 'info>,
    pub(super) left: client::Left<'a, 'info>,
    pub(super) tenant: Option<Info<'a, 'info>>,
    pub(super) tunnel_nets: Option<Info<'a, 'info>>,
    pub(super) tunnel_ids: Option<Info<'a, 'info>>,
    pub(super) dz_ips: Option<Info<'a, 'info>>,
}

pub(super) fn everything<'a, 'info>(
    ctx: &Context<'a, 'info>,
    user: &mut Account<'a, 'info, User>,
    to: Holdings<'a, 'info>,
) -> Result {
    ensure!(user.publishers.is_empty() && user.subscribers.is_empty(), UserHasRoles);
    let mut device = ctx.read::<Device>(to.device)?;
    let mut interface = ctx.read::<Interface>(to.interface)?;
    let mut pass = ctx.read::<AccessPass>(to.access_pass)?;
    ensure!(*device.key() == user.device, WrongDevice);
    ensure!(*interface.key() == user.interface, WrongInterface);
    ensure!(*pass.key() == user.access_pass, WrongPass);
    super::seat::give(&mut device, &mut interface, &mut pass, user.user_type, false)?;
    client::leave(ctx, to.left, user.client_ip)?;
    match (user.tenant, to.tenant) {
        (None, None) => {}
        (Some(key), Some(tenant)) => {
            let mut tenant = ctx.read::<Tenant>(tenant)?;
            ensure!(*tenant.key() == key, WrongTenant);
            tenant.reference_count.down()?;
            ctx.save(&tenant)?;
        }
        (None, Some(_)) | (Some(_), None) => return Err(ServiceabilityError::WrongTenant),
    }
    match (user.allocation.take(), to.tunnel_nets, to.tunnel_ids) {
        (None, None, None) => ensure!(to.dz_ips.is_none(), WrongPool),
        (Some(allocation), Some(nets), Some(ids)) => {
            let mut nets = ctx.read_global_pool(nets, PoolKind::UserTunnelBlock)?;
            ensure!(*nets.key() == allocation.tunnel_pool, WrongPool);
            nets.release_net(allocation.tunnel_net)?;
            ctx.save(&nets)?;
            let mut ids = ctx.read_pool(ids, PoolKind::TunnelIds, device.key())?;
            ids.release(allocation.tunnel_id.into(), 1)?;
            ctx.save(&ids)?;
            match (allocation.dz_ip_pool, to.dz_ips) {
                (None, None) => {}
                (Some(key), Some(addresses)) => {
                    let mut addresses = ctx.read::<Pool>(addresses)?;
                    ensure!(*addresses.key() == key, WrongPool);
                    addresses.release_ip(allocation.dz_ip)?;
                    ctx.save(&addresses)?;
                }
                (None, Some(_)) | (Some(_), None) => return Err(ServiceabilityError::WrongPool),
            }
        }
        _ => return Err(ServiceabilityError::WrongPool),
    }
    ctx.save(&device)?;
    ctx.save(&interface)?;
    ctx.save(&pass)
}

/// A reason that people will read.
pub(super) fn check_reason(reason: &str) -> Result {
    ensure!((1..=MAX_REASON_LEN).contains(&reason.len()), InvalidReason);
    Ok(())
}

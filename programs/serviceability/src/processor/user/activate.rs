//! Gives a Pending user its tunnel, and an Updating one the dz_ip of its new roles.

use std::net::Ipv4Addr;

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Account, Context},
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    state::{PoolKind, User, UserAllocation, UserStatus, UserType},
};

#[inline(never)]
pub(in crate::processor) fn process(
    ctx: &mut Context,
    tunnel_net: NetworkV4,
    tunnel_id: u16,
    dz_ip: Ipv4Addr,
) -> Result {
    ctx.activator()?;
    let mut user = ctx.load::<User>()?;
    let allocation = match (user.status, user.allocation) {
        (UserStatus::Pending, None) => allocate(ctx, &user, tunnel_net, tunnel_id, dz_ip)?,
        (UserStatus::Updating, Some(held)) => {
            ensure!((held.tunnel_net, held.tunnel_id) == (tunnel_net, tunnel_id), TunnelKept);
            follow_roles(ctx, &user, held, dz_ip)?
        }
        _ => return Err(ServiceabilityError::UserNotPending),
    };
    user.allocation = Some(allocation);
    user.status = UserStatus::Activated;
    user.reject_reason.clear();
    ctx.save(&user)
}

/// The accounts that follow: pool of tunnel networks, pool of tunnel ids, and the one of the dz_ip when that is not
/// the client_ip.
fn allocate<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    user: &Account<'a, 'info, User>,
    tunnel_net: NetworkV4,
    tunnel_id: u16,
    dz_ip: Ipv4Addr,
) -> Result<UserAllocation> {
    ensure!(tunnel_net.prefix_len() == 31, NotATunnelNet);
    let mut nets = ctx.load_global_pool(PoolKind::UserTunnelBlock)?;
    nets.claim_net(tunnel_net)?;
    ctx.save(&nets)?;
    let mut ids = ctx.load_pool(PoolKind::TunnelIds, &user.device)?;
    ids.claim(tunnel_id.into(), 1)?;
    ctx.save(&ids)?;
    let dz_ip_pool = claim_dz_ip(ctx, user, dz_ip)?;
    Ok(UserAllocation { tunnel_net, tunnel_pool: *nets.key(), tunnel_id, dz_ip, dz_ip_pool })
}

/// Where the dz_ip of this kind of user with these roles comes from; nothing for its own address.
fn claim_dz_ip<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    user: &Account<'a, 'info, User>,
    dz_ip: Ipv4Addr,
) -> Result<Option<Pubkey>> {
    let mut pool = match user.user_type {
        UserType::IbrlWithAllocatedIp => ctx.load_pool(PoolKind::DevicePrefix, &user.device)?,
        UserType::Multicast if user.is_publisher() => ctx.load_global_pool(PoolKind::MulticastPublisherBlock)?,
        UserType::Ibrl | UserType::Multicast => {
            ensure!(dz_ip == user.client_ip, InvalidDzIp);
            return Ok(None);
        }
    };
    pool.claim_ip(dz_ip)?;
    ctx.save(&pool)?;
    Ok(Some(*pool.key()))
}

/// The account that follows: the publisher block that is left or entered; none when the roles came back to what the
/// dz_ip already fits.
fn follow_roles<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    user: &Account<'a, 'info, User>,
    held: UserAllocation,
    dz_ip: Ipv4Addr,
) -> Result<UserAllocation> {
    let dz_ip_pool = match (held.dz_ip_pool, user.is_publisher()) {
        (Some(_), true) => {
            ensure!(dz_ip == held.dz_ip, InvalidDzIp);
            held.dz_ip_pool
        }
        (Some(key), false) => {
            ensure!(dz_ip == user.client_ip, InvalidDzIp);
            let mut left = ctx.load_global_pool(PoolKind::MulticastPublisherBlock)?;
            ensure!(*left.key() == key, WrongPool);
            left.release_ip(held.dz_ip)?;
            ctx.save(&left)?;
            None
        }
        (None, _) => claim_dz_ip(ctx, user, dz_ip)?,
    };
    Ok(UserAllocation { dz_ip, dz_ip_pool, ..held })
}

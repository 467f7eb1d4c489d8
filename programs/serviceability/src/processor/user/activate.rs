//! Gives a Pending user its tunnel, and an Updating one the dz_ip of its new roles.

use std::net::Ipv4Addr;

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Account, Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::NetworkV4,
    state::{PoolKind, User, UserAllocation, UserStatus, UserType},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ActivateUser<Info<'a, 'info>>,
    tunnel_net: NetworkV4,
    tunnel_id: u16,
    dz_ip: Ipv4Addr,
) -> Result {
    ctx.activator()?;
    let mut user = ctx.read::<User>(a.user)?;
    let allocation = match (user.status, user.allocation) {
        (UserStatus::Pending, None) => allocate(ctx, &user, &a, tunnel_net, tunnel_id, dz_ip)?,
        (UserStatus::Updating, Some(held)) => {
            ensure!((held.tunnel_net, held.tunnel_id) == (tunnel_net, tunnel_id), TunnelKept);
            ensure!(a.tunnel_nets.is_none() && a.tunnel_ids.is_none(), TooManyAccounts);
            follow_roles(ctx, &user, &a, held, dz_ip)?
        }
        _ => return Err(ServiceabilityError::UserNotPending),
    };
    user.allocation = Some(allocation);
    user.status = UserStatus::Activated;
    user.reject_reason.clear();
    ctx.save(&user)
}

type List<'a, 'info> = lists::ActivateUser<Info<'a, 'info>>;

fn allocate<'a, 'info>(
    ctx: &Context<'a, 'info>,
    user: &Account<'a, 'info, User>,
    a: &List<'a, 'info>,
    tunnel_net: NetworkV4,
    tunnel_id: u16,
    dz_ip: Ipv4Addr,
) -> Result<UserAllocation> {
    ensure!(tunnel_net.prefix_len() == 31, NotATunnelNet);
    let mut nets = ctx.read_global_pool(needed(a.tunnel_nets)?, PoolKind::UserTunnelBlock)?;
    nets.claim_net(tunnel_net)?;
    ctx.save(&nets)?;
    let mut ids = ctx.read_pool(needed(a.tunnel_ids)?, PoolKind::TunnelIds, &user.device)?;
    ids.claim(tunnel_id.into(), 1)?;
    ctx.save(&ids)?;
    let dz_ip_pool = claim_dz_ip(ctx, user, a, dz_ip)?;
    Ok(UserAllocation { tunnel_net, tunnel_pool: *nets.key(), tunnel_id, dz_ip, dz_ip_pool })
}

/// Where the dz_ip of this kind of user with these roles comes from; nothing for its own address.
fn claim_dz_ip<'a, 'info>(
    ctx: &Context<'a, 'info>,
    user: &Account<'a, 'info, User>,
    a: &List<'a, 'info>,
    dz_ip: Ipv4Addr,
) -> Result<Option<Pubkey>> {
    let mut pool = match user.user_type {
        UserType::IbrlWithAllocatedIp => ctx.read_pool(needed(a.dz_ips)?, PoolKind::DevicePrefix, &user.device)?,
        UserType::EdgeFiltering => {
            // Own space never lies in a block.
            let blocks = &ctx.config.double_zero_blocks;
            ensure!(blocks.iter().any(|block| block.contains(&dz_ip)), NotFoundationsSpace);
            ctx.read_pool(needed(a.dz_ips)?, PoolKind::DevicePrefix, &user.device)?
        }
        UserType::Multicast if user.is_publisher() => {
            ctx.read_global_pool(needed(a.dz_ips)?, PoolKind::MulticastPublisherBlock)?
        }
        UserType::Ibrl | UserType::Multicast => {
            ensure!(dz_ip == user.client_ip, InvalidDzIp);
            ensure!(a.dz_ips.is_none(), TooManyAccounts);
            return Ok(None);
        }
    };
    pool.claim_ip(dz_ip)?;
    // A prefix may have been brought around a client that was there before.
    ctx.check_no_client(needed(a.clients)?, NetworkV4::host(dz_ip))?;
    ctx.save(&pool)?;
    Ok(Some(*pool.key()))
}

/// The publisher block is left or entered; neither when the roles came back to what the dz_ip already fits.
fn follow_roles<'a, 'info>(
    ctx: &Context<'a, 'info>,
    user: &Account<'a, 'info, User>,
    a: &List<'a, 'info>,
    held: UserAllocation,
    dz_ip: Ipv4Addr,
) -> Result<UserAllocation> {
    let dz_ip_pool = match (held.dz_ip_pool, user.is_publisher()) {
        (Some(_), true) => {
            ensure!(dz_ip == held.dz_ip, InvalidDzIp);
            ensure!(a.dz_ips.is_none(), TooManyAccounts);
            held.dz_ip_pool
        }
        (Some(key), false) => {
            ensure!(dz_ip == user.client_ip, InvalidDzIp);
            let mut left = ctx.read_global_pool(needed(a.dz_ips)?, PoolKind::MulticastPublisherBlock)?;
            ensure!(*left.key() == key, WrongPool);
            left.release_ip(held.dz_ip)?;
            ctx.save(&left)?;
            None
        }
        (None, _) => claim_dz_ip(ctx, user, a, dz_ip)?,
    };
    Ok(UserAllocation { dz_ip, dz_ip_pool, ..held })
}

fn needed<'a, 'info>(account: Option<Info<'a, 'info>>) -> Result<Info<'a, 'info>> {
    account.ok_or(ServiceabilityError::MissingAccount)
}

//! Users.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dz_serviceability::{
    instruction::{MAX_ROLES_PER_INSTRUCTION, RoleChange},
    state::{PoolKind, Roles, User, UserStatus, UserType},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    BuildError, Result,
    find::{device, global_pool, user},
    find_access_pass,
};
use crate::{
    instruction::{self as ix, user::Grant},
    view::NetworkView,
};

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct CreateUser {
    /// Its address.
    pub client_ip: Ipv4Addr,
    /// The endpoint's address.
    pub endpoint_ip: Ipv4Addr,
    /// Which service.
    pub user_type: UserType,
    /// The tenant of a unicast user.
    pub tenant: Option<Pubkey>,
    /// Roles in groups of a multicast user; more than fit one instruction follow with [`set_user_roles`] when it is
    /// activated.
    pub roles: Vec<(Pubkey, Roles)>,
}

/// Takes a seat under the payer's pass, on the device and the interface that have the endpoint.
pub fn create_user(view: &NetworkView, signer: &Pubkey, payer: &Pubkey, wanted: CreateUser) -> Result<Instruction> {
    let CreateUser { client_ip, endpoint_ip, user_type, tenant, roles } = wanted;
    let (access_pass, _) = find_access_pass(view, client_ip, payer)?;
    let (interface, found) = view.interface_by_address(endpoint_ip).ok_or(BuildError::NoInterface(endpoint_ip))?;
    let device = found.device;
    let ids = ix::user::CreateUser { access_pass, device, interface, client_ip, endpoint_ip, user_type, tenant, roles };
    Ok(ix::user::create_user(view.program(), signer, ids))
}

/// Gives a Pending user its tunnel, or lets an Updating one's dz_ip follow its roles.
pub fn activate_user(view: &NetworkView, signer: &Pubkey, key: Pubkey, grant: Grant) -> Result<Instruction> {
    let user = user(view, &key)?;
    let program = view.program();
    let publisher_block = || global_pool(view, PoolKind::MulticastPublisherBlock, grant.dz_ip);
    let Some(held) = user.allocation else {
        let tunnel_pool = global_pool(view, PoolKind::UserTunnelBlock, grant.tunnel_net.network())?;
        let dz_ip_pool = match user.user_type {
            UserType::IbrlWithAllocatedIp => Some(prefix_pool(view, user, grant.dz_ip)?),
            UserType::Multicast if user.is_publisher() => Some(publisher_block()?),
            UserType::Ibrl | UserType::Multicast => None,
        };
        return Ok(ix::user::activate_user(program, signer, key, &user.device, tunnel_pool, dz_ip_pool, grant));
    };
    let pool = match (held.dz_ip_pool, user.is_publisher()) {
        (None, true) => Some(publisher_block()?),
        (Some(left), false) => Some(left),
        (None, false) | (Some(_), true) => None,
    };
    Ok(ix::user::update_user(program, signer, key, pool, grant))
}

/// Takes all of a user's roles away, as the activator.
pub fn strip_roles(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let user = user(view, &key)?;
    let groups: BTreeSet<Pubkey> = user.publishers.iter().chain(&user.subscribers).copied().collect();
    let roles: Vec<_> = groups.into_iter().map(|group| (group, Roles::default())).collect();
    set_user_roles(view, signer, key, &roles)
}

/// Changes roles, in as many instructions as it takes. [`Roles`] themselves set both in their group.
pub fn set_user_roles(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    changes: &[(Pubkey, impl Into<RoleChange> + Copy)],
) -> Result<Vec<Instruction>> {
    let user = user(view, &key)?;
    let set = |some: &[_]| ix::user::set_user_roles(view.program(), signer, user.access_pass, user.device, key, some);
    Ok(changes.chunks(MAX_ROLES_PER_INSTRUCTION).map(set).collect())
}

/// Refuses a Pending user, its roles stripped before; or an Updating one, of which the publisher roles that its
/// address does not allow are stripped.
pub fn reject_user(view: &NetworkView, signer: &Pubkey, key: Pubkey, reason: &str) -> Result<Vec<Instruction>> {
    let user = user(view, &key)?;
    let mut instructions = match user.status {
        UserStatus::Pending => strip_roles(view, signer, key)?,
        UserStatus::Updating => {
            let silent = RoleChange { publish: Some(false), subscribe: None };
            let changes: Vec<_> = user.publishers.iter().map(|group| (*group, silent)).collect();
            set_user_roles(view, signer, key, &changes)?
        }
        _ => return Err(BuildError::NothingToDo { user: key }),
    };
    instructions.push(ix::user::reject_user(view.program(), signer, (key, user), reason));
    Ok(instructions)
}

/// Starts a user's end, or closes a Rejected or Banned one.
pub fn delete_user(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let user = user(view, &key)?;
    Ok(ix::user::delete_user(view.program(), signer, user.access_pass, key, user.owner))
}

/// Ends a user that goes away: its roles, then what it holds, then itself.
pub fn close_user(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let mut instructions = strip_roles(view, signer, key)?;
    instructions.push(ix::user::close_user(view.program(), signer, (key, user(view, &key)?)));
    Ok(instructions)
}

/// Bans a user.
pub fn ban_user(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::user::ban_user(view.program(), signer, user(view, &key)?.access_pass, key))
}

/// Takes back what a user that is being banned holds: its roles, then the rest.
pub fn finish_ban(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let mut instructions = strip_roles(view, signer, key)?;
    instructions.push(ix::user::finish_ban(view.program(), signer, (key, user(view, &key)?)));
    Ok(instructions)
}

fn prefix_pool(view: &NetworkView, user: &User, ip: Ipv4Addr) -> Result<Pubkey> {
    let kind = PoolKind::DevicePrefix;
    let prefixes = device(view, &user.device)?.prefixes.iter();
    let prefix = prefixes.map(|prefix| prefix.net).find(|net| net.contains(&ip));
    let prefix = prefix.ok_or_else(|| BuildError::NoPool { kind, value: ip.to_string() })?;
    Ok(ix::pool(view.program(), kind, &user.device, prefix.network()))
}

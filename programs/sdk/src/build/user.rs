//! Users.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dz_serviceability::{
    instruction::{MAX_ROLES_PER_INSTRUCTION, RoleChange, ServiceabilityInstruction as I},
    lists, pda,
    state::{PoolKind, Roles, User, UserStatus, UserType},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    BuildError, Result, Service,
    find::{device, global_pool, payer, user},
    find_access_pass, giving_tenant,
};
use crate::{
    instruction::{self as ix, instruction, user::Grant},
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
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn create_user(view: &NetworkView, signer: &Pubkey, owner: &Pubkey, wanted: CreateUser) -> Result<Instruction> {
    let CreateUser { client_ip, endpoint_ip, user_type, tenant, roles } = wanted;
    let service = Service { user_type, tenant, roles: &roles };
    let (access_pass, pass) = find_access_pass(view, client_ip, owner, service)?;
    let config = pda::config(view.program()).0;
    let giver = giving_tenant(&config, pass).filter(|_| user_type.is_multicast());
    let old_payer = view.user_at(client_ip, endpoint_ip).and_then(|(key, _)| view.rent_payer(&key));
    let named = pda::access_pass(view.program(), client_ip, owner, &config).0;
    let named_pass = (named != access_pass && view.access_pass(&named).is_some()).then_some(named);
    let (interface, found) = view.interface_by_address(endpoint_ip).ok_or(BuildError::NoInterface(endpoint_ip))?;
    let device = found.device;
    let ids = ix::user::CreateUser {
        access_pass,
        device,
        interface,
        client_ip,
        endpoint_ip,
        user_type,
        tenant: tenant.or(giver),
        roles,
        old_payer,
        named_pass,
    };
    Ok(ix::user::create_user(view.program(), signer, ids))
}

/// Gives a Pending user its tunnel, or lets an Updating one's dz_ip follow its roles.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn activate_user(view: &NetworkView, signer: &Pubkey, key: Pubkey, grant: Grant) -> Result<Instruction> {
    let user = user(view, &key)?;
    let program = view.program();
    let publisher_block = || global_pool(view, PoolKind::MulticastPublisherBlock, grant.dz_ip);
    let Some(held) = user.allocation else {
        let tunnel_pool = global_pool(view, PoolKind::UserTunnelBlock, grant.tunnel_net.network())?;
        let dz_ip_pool = match user.user_type {
            UserType::IbrlWithAllocatedIp | UserType::EdgeFiltering => Some(prefix_pool(view, user, grant.dz_ip)?),
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
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn strip_roles(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let user = user(view, &key)?;
    let groups: BTreeSet<Pubkey> = user.publishers.iter().chain(&user.subscribers).copied().collect();
    let roles: Vec<_> = groups.into_iter().map(|group| (group, Roles::default())).collect();
    set_user_roles(view, signer, key, &roles)
}

/// Changes roles, in as many instructions as it takes. [`Roles`] themselves set both in their group.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn set_user_roles(
    view: &NetworkView,
    signer: &Pubkey,
    key: Pubkey,
    changes: &[(Pubkey, impl Into<RoleChange> + Copy)],
) -> Result<Vec<Instruction>> {
    let user = user(view, &key)?;
    let program = view.program();
    let pass = view.access_pass(&user.access_pass);
    let tenant = pass.and_then(|pass| giving_tenant(&pda::config(program).0, pass));
    let set = |some: &[_]| ix::user::set_user_roles(program, signer, user.access_pass, user.device, key, tenant, some);
    Ok(changes.chunks(MAX_ROLES_PER_INSTRUCTION).map(set).collect())
}

/// Refuses a Pending user, its roles stripped before; or an Updating one, of which the publisher roles that its
/// address does not allow are stripped.
///
/// # Errors
/// Something that the instruction needs is not in the view.
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
    instructions.push(reject_user_alone(view, signer, key, reason)?);
    Ok(instructions)
}

/// The same of one whose roles are stripped.
///
/// # Errors
/// When the view lacks the user.
pub fn reject_user_alone(view: &NetworkView, signer: &Pubkey, key: Pubkey, reason: &str) -> Result<Instruction> {
    let program = view.program();
    let user = user(view, &key)?;
    // One that has a tunnel keeps it.
    let to = user.allocation.is_none().then(|| Holdings::of(view, signer, user));
    let list = lists::RejectUser {
        config: pda::config(program).0,
        user: key,
        device: to.as_ref().map(|_| user.device),
        interface: to.as_ref().map(|_| user.interface),
        access_pass: to.as_ref().map(|_| user.access_pass),
        client: to.as_ref().map(|to| to.client),
        client_payer: to.as_ref().map(|to| to.client_payer),
        clients: to.as_ref().map(|to| to.clients),
        clients_payer: to.as_ref().map(|to| to.clients_payer),
        tenant: to.as_ref().and(user.tenant),
    };
    Ok(instruction(program, signer, &I::RejectUser { reason: reason.to_owned() }, list.metas(program)))
}

/// Starts a user's end, or closes a Rejected or Banned one.
///
/// # Errors
/// When the view lacks the user.
pub fn delete_user(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let list = lists::DeleteUser {
        config: pda::config(program).0,
        user: key,
        access_pass: user(view, &key)?.access_pass,
        user_payer: payer(view, &key, signer),
    };
    Ok(instruction(program, signer, &I::DeleteUser, list.metas(program)))
}

/// Where what a user gives back goes.
struct Holdings {
    client: Pubkey,
    client_payer: Pubkey,
    clients: Pubkey,
    clients_payer: Pubkey,
    tunnel_nets: Option<Pubkey>,
    tunnel_ids: Option<Pubkey>,
    dz_ips: Option<Pubkey>,
}

impl Holdings {
    fn of(view: &NetworkView, signer: &Pubkey, user: &User) -> Self {
        let program = view.program();
        let client = pda::client(program, user.client_ip).0;
        let clients = ix::clients(program, user.client_ip);
        Self {
            client,
            client_payer: payer(view, &client, signer),
            clients,
            clients_payer: payer(view, &clients, signer),
            tunnel_nets: user.allocation.map(|held| held.tunnel_pool),
            tunnel_ids: user.allocation.map(|_| ix::tunnel_ids(program, &user.device)),
            dz_ips: user.allocation.and_then(|held| held.dz_ip_pool),
        }
    }
}

/// Ends a user that goes away: its roles, then what it holds, then itself.
///
/// # Errors
/// When the view lacks the user.
pub fn close_user(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let mut instructions = strip_roles(view, signer, key)?;
    instructions.push(close_user_account(view, signer, key)?);
    Ok(instructions)
}

/// The same of one whose roles are stripped.
///
/// # Errors
/// When the view lacks the user.
pub fn close_user_account(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let user = user(view, &key)?;
    let Holdings { client, client_payer, clients, clients_payer, tunnel_nets, tunnel_ids, dz_ips } =
        Holdings::of(view, signer, user);
    let list = lists::CloseUser {
        config: pda::config(program).0,
        user: key,
        user_payer: payer(view, &key, signer),
        device: user.device,
        interface: user.interface,
        access_pass: user.access_pass,
        client,
        client_payer,
        clients,
        clients_payer,
        tenant: user.tenant,
        tunnel_nets,
        tunnel_ids,
        dz_ips,
    };
    Ok(instruction(program, signer, &I::CloseUser, list.metas(program)))
}

/// Bans a user.
///
/// # Errors
/// When the view lacks the user.
pub fn ban_user(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    Ok(ix::user::ban_user(view.program(), signer, user(view, &key)?.access_pass, key))
}

/// Takes back what a user that is being banned holds: its roles, then the rest.
///
/// # Errors
/// When the view lacks the user.
pub fn finish_ban(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let mut instructions = strip_roles(view, signer, key)?;
    instructions.push(finish_ban_alone(view, signer, key)?);
    Ok(instructions)
}

/// The same of one whose roles are stripped.
///
/// # Errors
/// When the view lacks the user.
pub fn finish_ban_alone(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let user = user(view, &key)?;
    let Holdings { client, client_payer, clients, clients_payer, tunnel_nets, tunnel_ids, dz_ips } =
        Holdings::of(view, signer, user);
    let list = lists::FinishBan {
        config: pda::config(program).0,
        user: key,
        device: user.device,
        interface: user.interface,
        access_pass: user.access_pass,
        client,
        client_payer,
        clients,
        clients_payer,
        tenant: user.tenant,
        tunnel_nets,
        tunnel_ids,
        dz_ips,
    };
    Ok(instruction(program, signer, &I::FinishBan, list.metas(program)))
}

/// Ends a user that another payer has made for the address that a pass of this key is for.
///
/// # Errors
/// When the view lacks the user, or the foundation has given this key no pass for the user's address itself.
pub fn reclaim_address(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let user = user(view, &key)?;
    let client_ip = user.client_ip;
    let config = pda::config(view.program()).0;
    let pass = pda::access_pass(view.program(), client_ip, signer, &config).0;
    view.access_pass(&pass).ok_or(BuildError::NoNamedPass { payer: *signer, client_ip })?;
    Ok(ix::user::reclaim_address(view.program(), signer, client_ip, &user.owner, key))
}

/// Ends a user of a drained device.
///
/// # Errors
/// When the view lacks the user or its device.
pub fn evict_user(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let of = user(view, &key)?.device;
    let contributor = device(view, &of)?.contributor;
    Ok(ix::user::evict_user(view.program(), signer, contributor, of, key))
}

fn prefix_pool(view: &NetworkView, user: &User, ip: Ipv4Addr) -> Result<Pubkey> {
    let kind = PoolKind::DevicePrefix;
    let prefixes = device(view, &user.device)?.prefixes.iter();
    let prefix = prefixes.map(|prefix| prefix.net).find(|net| net.contains(&ip));
    let prefix = prefix.ok_or_else(|| BuildError::NoPool { kind, value: ip.to_string() })?;
    Ok(ix::pool(view.program(), kind, &user.device, prefix.network()))
}

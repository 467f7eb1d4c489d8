//! Verbs of users.

use std::net::Ipv4Addr;

use dz_serviceability::{
    instruction::{RoleChange, ServiceabilityInstruction as I},
    network::NetworkV4,
    pda,
    state::{Roles, User, UserType},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use super::{CLOCK, instruction, r, tunnel_ids, w};

/// What creating a user refers to.
#[derive(Clone, Debug)]
pub struct CreateUser {
    /// The pass it is created under.
    pub access_pass: Pubkey,
    /// The device.
    pub device: Pubkey,
    /// The interface that holds `endpoint_ip`.
    pub interface: Pubkey,
    /// The client's address.
    pub client_ip: Ipv4Addr,
    /// The endpoint's address.
    pub endpoint_ip: Ipv4Addr,
    /// Which service.
    pub user_type: UserType,
    /// The tenant of a unicast user.
    pub tenant: Option<Pubkey>,
    /// Roles in groups of a multicast user.
    pub roles: Vec<(Pubkey, Roles)>,
}

/// Takes a seat. Accounts: clock, pass, device, interface, user, then tenant or groups.
pub fn create_user(program: &Pubkey, signer: &Pubkey, ids: CreateUser) -> Instruction {
    let CreateUser { client_ip, endpoint_ip, user_type, .. } = ids;
    let user = pda::user(program, client_ip, endpoint_ip).0;
    let mut accounts = vec![r(CLOCK), w(ids.access_pass), w(ids.device), w(ids.interface), w(user)];
    accounts.extend(ids.tenant.map(w));
    accounts.extend(ids.roles.iter().map(|(group, _)| w(*group)));
    let roles = ids.roles.iter().map(|(_, roles)| *roles).collect();
    instruction(program, signer, &I::CreateUser { client_ip, endpoint_ip, user_type, roles }, accounts)
}

/// What a user is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The overlay /31.
    pub tunnel_net: NetworkV4,
    /// Number of the tunnel interface on the device.
    pub tunnel_id: u16,
    /// The address it is known by.
    pub dz_ip: Ipv4Addr,
}

/// Gives a Pending user its tunnel. Accounts: user, pool of tunnel networks, tunnel ids, and the pool of the dz_ip
/// unless that is the client_ip.
pub fn activate_user(
    program: &Pubkey,
    signer: &Pubkey,
    user: Pubkey,
    device: &Pubkey,
    tunnel_pool: Pubkey,
    dz_ip_pool: Option<Pubkey>,
    grant: Grant,
) -> Instruction {
    let mut accounts = vec![w(user), w(tunnel_pool), w(tunnel_ids(program, device))];
    accounts.extend(dz_ip_pool.map(w));
    instruction(program, signer, &activate(grant), accounts)
}

/// Lets an Updating user's dz_ip follow its roles. Accounts: user, and the publisher block it enters or leaves.
pub fn update_user(
    program: &Pubkey,
    signer: &Pubkey,
    user: Pubkey,
    publisher_pool: Option<Pubkey>,
    grant: Grant,
) -> Instruction {
    let accounts = [user].into_iter().chain(publisher_pool).map(w);
    instruction(program, signer, &activate(grant), accounts)
}

fn activate(grant: Grant) -> I {
    let Grant { tunnel_net, tunnel_id, dz_ip } = grant;
    I::ActivateUser { tunnel_net, tunnel_id, dz_ip }
}

/// What a user gives back goes into these: device, interface, pass, its tenant, the pools of its allocation.
fn holdings(program: &Pubkey, user: &User) -> impl Iterator<Item = AccountMeta> {
    let pools = user.allocation.map(|held| {
        let own = [held.tunnel_pool, tunnel_ids(program, &user.device)];
        own.into_iter().chain(held.dz_ip_pool)
    });
    [user.device, user.interface, user.access_pass]
        .into_iter()
        .chain(user.tenant)
        .chain(pools.into_iter().flatten())
        .map(w)
}

/// Refuses a Pending user, or an Updating one's change of roles. Accounts: user; for a Pending one what it gives back
/// goes into.
pub fn reject_user(program: &Pubkey, signer: &Pubkey, user: (Pubkey, &User), reason: &str) -> Instruction {
    let (key, user) = user;
    let gives_back = user.allocation.is_none();
    let accounts = [w(key)].into_iter().chain(gives_back.then(|| holdings(program, user)).into_iter().flatten());
    instruction(program, signer, &I::RejectUser { reason: reason.to_owned() }, accounts)
}

/// Changes roles in groups, at most [`MAX_ROLES_PER_INSTRUCTION`](dz_serviceability::instruction::MAX_ROLES_PER_INSTRUCTION).
/// Accounts: pass, device, user, groups.
pub fn set_user_roles(
    program: &Pubkey,
    signer: &Pubkey,
    access_pass: Pubkey,
    device: Pubkey,
    user: Pubkey,
    changes: &[(Pubkey, impl Into<RoleChange> + Copy)],
) -> Instruction {
    let accounts = [r(access_pass), w(device), w(user)].into_iter().chain(changes.iter().map(|(group, _)| w(*group)));
    let changes = changes.iter().map(|(_, change)| (*change).into()).collect();
    instruction(program, signer, &I::SetUserRoles { changes }, accounts)
}

/// Starts its end, or closes a Rejected or Banned one. Accounts: pass, user, owner.
pub fn delete_user(program: &Pubkey, signer: &Pubkey, access_pass: Pubkey, user: Pubkey, owner: Pubkey) -> Instruction {
    instruction(program, signer, &I::DeleteUser, [w(access_pass), w(user), w(owner)])
}

/// Closes it. Accounts: user, owner, and what it gives back goes into.
pub fn close_user(program: &Pubkey, signer: &Pubkey, user: (Pubkey, &User)) -> Instruction {
    let (key, user) = user;
    let accounts = [w(key), w(user.owner)].into_iter().chain(holdings(program, user));
    instruction(program, signer, &I::CloseUser, accounts)
}

/// Bans it. Accounts: pass, user.
pub fn ban_user(program: &Pubkey, signer: &Pubkey, access_pass: Pubkey, user: Pubkey) -> Instruction {
    instruction(program, signer, &I::BanUser, [w(access_pass), w(user)])
}

/// Takes back what a user that is being banned holds. Accounts: user, and what it gives back goes into.
pub fn finish_ban(program: &Pubkey, signer: &Pubkey, user: (Pubkey, &User)) -> Instruction {
    let (key, user) = user;
    instruction(program, signer, &I::FinishBan, [w(key)].into_iter().chain(holdings(program, user)))
}

//! Verbs of users.

use std::net::Ipv4Addr;

use dz_serviceability::{
    instruction::{RoleChange, ServiceabilityInstruction as I},
    lists,
    network::NetworkV4,
    pda,
    state::{Roles, UserType},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{CLOCK, clients, instruction, registry, tunnel_ids};

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
    /// The tenant of a unicast user; of a multicast one the tenant that gave the pass.
    pub tenant: Option<Pubkey>,
    /// Roles in groups of a multicast user.
    pub roles: Vec<(Pubkey, Roles)>,
    /// The key that paid for the rejected user that it replaces.
    pub old_payer: Option<Pubkey>,
    /// The payer's pass of the foundation for this very address, where `access_pass` is another one.
    pub named_pass: Option<Pubkey>,
}

/// Takes a seat.
pub fn create_user(program: &Pubkey, signer: &Pubkey, ids: CreateUser) -> Instruction {
    let CreateUser { client_ip, endpoint_ip, user_type, .. } = ids;
    let list = lists::CreateUser {
        config: pda::config(program).0,
        user: pda::user(program, client_ip, endpoint_ip).0,
        clock: CLOCK,
        access_pass: ids.access_pass,
        device: ids.device,
        interface: ids.interface,
        client: pda::client(program, client_ip).0,
        clients: clients(program, client_ip),
        registry: registry(program, client_ip),
        old_payer: ids.old_payer,
        named_pass: ids.named_pass,
        tenant: ids.tenant,
        groups: ids.roles.iter().map(|(group, _)| *group).collect(),
    };
    let roles = ids.roles.iter().map(|(_, roles)| *roles).collect();
    let data = I::CreateUser { client_ip, endpoint_ip, user_type, roles };
    instruction(program, signer, &data, list.metas(program))
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

/// Gives a Pending user its tunnel; `dz_ip_pool` is the pool of the dz_ip unless that is the client_ip.
pub fn activate_user(
    program: &Pubkey,
    signer: &Pubkey,
    user: Pubkey,
    device: &Pubkey,
    tunnel_pool: Pubkey,
    dz_ip_pool: Option<Pubkey>,
    grant: Grant,
) -> Instruction {
    let list = lists::ActivateUser {
        config: pda::config(program).0,
        user,
        tunnel_nets: Some(tunnel_pool),
        tunnel_ids: Some(tunnel_ids(program, device)),
        dz_ips: dz_ip_pool,
        clients: dz_ip_pool.map(|_| clients(program, grant.dz_ip)),
    };
    instruction(program, signer, &activate(grant), list.metas(program))
}

/// Lets an Updating user's dz_ip follow its roles; the pool is the publisher block it enters or leaves.
pub fn update_user(
    program: &Pubkey,
    signer: &Pubkey,
    user: Pubkey,
    publisher_pool: Option<Pubkey>,
    grant: Grant,
) -> Instruction {
    let list = lists::ActivateUser {
        config: pda::config(program).0,
        user,
        tunnel_nets: None,
        tunnel_ids: None,
        dz_ips: publisher_pool,
        clients: publisher_pool.map(|_| clients(program, grant.dz_ip)),
    };
    instruction(program, signer, &activate(grant), list.metas(program))
}

fn activate(grant: Grant) -> I {
    let Grant { tunnel_net, tunnel_id, dz_ip } = grant;
    I::ActivateUser { tunnel_net, tunnel_id, dz_ip }
}

/// Changes roles in groups, at most [`MAX_ROLES_PER_INSTRUCTION`](dz_serviceability::instruction::MAX_ROLES_PER_INSTRUCTION).
/// The owner of a user whose pass a tenant gave names that tenant.
pub fn set_user_roles(
    program: &Pubkey,
    signer: &Pubkey,
    access_pass: Pubkey,
    device: Pubkey,
    user: Pubkey,
    tenant: Option<Pubkey>,
    changes: &[(Pubkey, impl Into<RoleChange> + Copy)],
) -> Instruction {
    let list = lists::SetUserRoles {
        config: pda::config(program).0,
        user,
        clock: CLOCK,
        access_pass,
        device,
        tenant,
        groups: changes.iter().map(|(group, _)| *group).collect(),
    };
    let changes = changes.iter().map(|(_, change)| (*change).into()).collect();
    instruction(program, signer, &I::SetUserRoles { changes }, list.metas(program))
}

/// Bans it.
pub fn ban_user(program: &Pubkey, signer: &Pubkey, access_pass: Pubkey, user: Pubkey) -> Instruction {
    let list = lists::BanUser { config: pda::config(program).0, user, access_pass };
    instruction(program, signer, &I::BanUser, list.metas(program))
}

/// Ends one that `owner` has made for the address that a pass of the foundation gives the signer.
pub fn reclaim_address(
    program: &Pubkey,
    signer: &Pubkey,
    client_ip: Ipv4Addr,
    owner: &Pubkey,
    user: Pubkey,
) -> Instruction {
    let config = pda::config(program).0;
    let list = lists::ReclaimAddress {
        config,
        user,
        access_pass: pda::access_pass(program, client_ip, signer, &config).0,
        other_named: pda::access_pass(program, client_ip, owner, &config).0,
    };
    instruction(program, signer, &I::ReclaimAddress, list.metas(program))
}

/// Ends one of a drained device.
pub fn evict_user(program: &Pubkey, signer: &Pubkey, contributor: Pubkey, device: Pubkey, user: Pubkey) -> Instruction {
    let list = lists::EvictUser { config: pda::config(program).0, user, contributor, device };
    instruction(program, signer, &I::EvictUser, list.metas(program))
}

//! Verbs of access passes.

use std::net::Ipv4Addr;

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{CLOCK, instruction};

/// The limits of a pass.
#[derive(Clone, Copy, Debug)]
pub struct PassLimits {
    /// The last epoch in which unicast users may be created; `u64::MAX` for ever.
    pub last_access_epoch: u64,
    /// Maximum of unicast users at a time.
    pub max_unicast_users: u16,
    /// The most multicast users at a time.
    pub max_multicast_users: u16,
}

impl Default for PassLimits {
    /// For ever, one tunnel of each service.
    fn default() -> Self {
        Self { last_access_epoch: u64::MAX, max_unicast_users: 1, max_multicast_users: 1 }
    }
}

/// The address of a pass that this tenant gives, or the foundation if none is named.
pub fn pass_address(program: &Pubkey, client_ip: Ipv4Addr, payer: &Pubkey, tenant: Option<Pubkey>) -> Pubkey {
    let giver = tenant.unwrap_or_else(|| pda::config(program).0);
    pda::access_pass(program, client_ip, payer, &giver).0
}

/// Creates a pass or changes its limits: one that this tenant gives, or the foundation if none is named.
pub fn set_access_pass(
    program: &Pubkey,
    signer: &Pubkey,
    client_ip: Ipv4Addr,
    payer: Pubkey,
    limits: PassLimits,
    tenant: Option<Pubkey>,
) -> Instruction {
    let PassLimits { last_access_epoch, max_unicast_users, max_multicast_users } = limits;
    let data = I::SetAccessPass { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users };
    let names_address = tenant.is_none() && !client_ip.is_unspecified();
    let list = lists::SetAccessPass {
        config: pda::config(program).0,
        access_pass: pass_address(program, client_ip, &payer, tenant),
        clock: CLOCK,
        tenant,
        client: names_address.then(|| pda::client(program, client_ip).0),
    };
    instruction(program, signer, &data, list.metas(program))
}

/// Allows or forbids a pass of the foundation's a tenant.
pub fn set_pass_tenant(
    program: &Pubkey,
    signer: &Pubkey,
    access_pass: Pubkey,
    tenant: Pubkey,
    allowed: bool,
) -> Instruction {
    let list = lists::SetPassTenant { config: pda::config(program).0, access_pass, tenant };
    instruction(program, signer, &I::SetPassTenant { allowed }, list.metas(program))
}

/// Says what a pass may do with a group, as the group's owner; or takes that away as an administrator of this tenant,
/// which gave the pass.
pub fn set_pass_group(
    program: &Pubkey,
    signer: &Pubkey,
    access_pass: Pubkey,
    group: Pubkey,
    tenant: Option<Pubkey>,
    (publish, subscribe): (bool, bool),
) -> Instruction {
    let list = lists::SetPassGroup { config: pda::config(program).0, access_pass, group, tenant };
    instruction(program, signer, &I::SetPassGroup { publish, subscribe }, list.metas(program))
}

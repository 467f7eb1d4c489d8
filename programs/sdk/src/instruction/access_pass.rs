//! Verbs of access passes.

use std::net::Ipv4Addr;

use dz_serviceability::{instruction::ServiceabilityInstruction as I, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{CLOCK, instruction, r, w};

/// The limits of a pass.
#[derive(Clone, Copy, Debug)]
pub struct PassLimits {
    /// The last epoch in which unicast users may be created; `u64::MAX` for ever.
    pub last_access_epoch: u64,
    /// The most unicast users at a time.
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

/// Creates a pass or changes its limits, and allows it these tenants. Accounts: clock, pass, tenants.
pub fn set_access_pass(
    program: &Pubkey,
    signer: &Pubkey,
    client_ip: Ipv4Addr,
    payer: Pubkey,
    limits: PassLimits,
    tenants: &[Pubkey],
) -> Instruction {
    let PassLimits { last_access_epoch, max_unicast_users, max_multicast_users } = limits;
    let data = I::SetAccessPass { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users };
    let pass = pda::access_pass(program, client_ip, &payer).0;
    let accounts = [r(CLOCK), w(pass)].into_iter().chain(tenants.iter().copied().map(w));
    instruction(program, signer, &data, accounts)
}

/// Allows or forbids it a tenant. Accounts: pass, tenant.
pub fn set_pass_tenant(program: &Pubkey, signer: &Pubkey, pass: Pubkey, tenant: Pubkey, allowed: bool) -> Instruction {
    instruction(program, signer, &I::SetPassTenant { allowed }, [w(pass), w(tenant)])
}

/// Says what it may do with a group. Accounts: pass, group.
pub fn set_pass_group(
    program: &Pubkey,
    signer: &Pubkey,
    pass: Pubkey,
    group: Pubkey,
    publish: bool,
    subscribe: bool,
) -> Instruction {
    instruction(program, signer, &I::SetPassGroup { publish, subscribe }, [w(pass), w(group)])
}

/// Closes it. Accounts: pass.
pub fn close_access_pass(program: &Pubkey, signer: &Pubkey, pass: Pubkey) -> Instruction {
    instruction(program, signer, &I::CloseAccessPass, [w(pass)])
}

//! Verbs of tenants.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{instruction, vrf_ids, w};

/// Creates a tenant. Accounts: tenant.
pub fn create_tenant(program: &Pubkey, signer: &Pubkey, code: &str, administrators: Vec<Pubkey>) -> Instruction {
    let data = I::CreateTenant { code: code.to_owned(), administrators };
    instruction(program, signer, &data, [w(pda::tenant(program, code).0)])
}

/// Sets its administrators. Accounts: tenant.
pub fn update_tenant(program: &Pubkey, signer: &Pubkey, tenant: Pubkey, administrators: Vec<Pubkey>) -> Instruction {
    instruction(program, signer, &I::UpdateTenant { administrators }, [w(tenant)])
}

/// Gives it its VRF id. Accounts: tenant, VRF ids.
pub fn activate_tenant(program: &Pubkey, signer: &Pubkey, tenant: Pubkey, vrf_id: u16) -> Instruction {
    instruction(program, signer, &I::ActivateTenant { vrf_id }, [w(tenant), w(vrf_ids(program))])
}

/// Starts its end. Accounts: tenant.
pub fn delete_tenant(program: &Pubkey, signer: &Pubkey, tenant: Pubkey) -> Instruction {
    instruction(program, signer, &I::DeleteTenant, [w(tenant)])
}

/// Closes it. Accounts: tenant, VRF ids.
pub fn close_tenant(program: &Pubkey, signer: &Pubkey, tenant: Pubkey) -> Instruction {
    instruction(program, signer, &I::CloseTenant, [w(tenant), w(vrf_ids(program))])
}

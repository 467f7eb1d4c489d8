//! Verbs of tenants.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{instruction, vrf_ids};

/// Creates a tenant.
pub fn create_tenant(program: &Pubkey, signer: &Pubkey, code: &str, administrators: Vec<Pubkey>) -> Instruction {
    let data = I::CreateTenant { code: code.to_owned(), administrators };
    let list = lists::CreateTenant { config: pda::config(program).0, tenant: pda::tenant(program, code).0 };
    instruction(program, signer, &data, list.metas(program))
}

/// Sets its administrators.
pub fn update_tenant(program: &Pubkey, signer: &Pubkey, tenant: Pubkey, administrators: Vec<Pubkey>) -> Instruction {
    let list = lists::UpdateTenant { config: pda::config(program).0, tenant };
    instruction(program, signer, &I::UpdateTenant { administrators }, list.metas(program))
}

/// Gives it its VRF id.
pub fn activate_tenant(program: &Pubkey, signer: &Pubkey, tenant: Pubkey, vrf_id: u16) -> Instruction {
    let list = lists::ActivateTenant { config: pda::config(program).0, tenant, vrf_ids: vrf_ids(program) };
    instruction(program, signer, &I::ActivateTenant { vrf_id }, list.metas(program))
}

/// Starts its end.
pub fn delete_tenant(program: &Pubkey, signer: &Pubkey, tenant: Pubkey) -> Instruction {
    let list = lists::DeleteTenant { config: pda::config(program).0, tenant };
    instruction(program, signer, &I::DeleteTenant, list.metas(program))
}

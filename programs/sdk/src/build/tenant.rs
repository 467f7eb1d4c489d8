//! Tenants.

use dz_serviceability::{instruction::ServiceabilityInstruction as I, lists, pda};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::find::payer;
use crate::{
    instruction::{instruction, vrf_ids},
    view::NetworkView,
};

/// Closes a tenant that goes away.
pub fn close_tenant(view: &NetworkView, signer: &Pubkey, tenant: Pubkey) -> Instruction {
    let program = view.program();
    let list = lists::CloseTenant {
        config: pda::config(program).0,
        tenant,
        tenant_payer: payer(view, &tenant, signer),
        vrf_ids: vrf_ids(program),
    };
    instruction(program, signer, &I::CloseTenant, list.metas(program))
}

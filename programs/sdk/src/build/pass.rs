//! Access passes.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dz_serviceability::{pda, state::AccessPass};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{BuildError, Result, find::access_pass};
use crate::{instruction as ix, view::NetworkView};

/// The pass under which a payer connects from an address: the one for this very address, else the one for any.
pub fn find_access_pass(view: &NetworkView, client_ip: Ipv4Addr, payer: &Pubkey) -> Result<(Pubkey, AccessPass)> {
    [client_ip, Ipv4Addr::UNSPECIFIED]
        .into_iter()
        .map(|ip| pda::access_pass(view.program(), ip, payer).0)
        .find_map(|key| Some((key, view.access_pass(&key)?.clone())))
        .ok_or(BuildError::NoAccessPass { payer: *payer, client_ip })
}

/// Empties a pass and closes it. [`super::pack`] makes transactions of it.
pub fn close_access_pass(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let program = view.program();
    let pass = access_pass(view, &key)?;
    let groups: BTreeSet<Pubkey> = pass.publish.iter().chain(&pass.subscribe).copied().collect();
    let tenants = pass.tenants.iter();
    let mut instructions: Vec<_> =
        tenants.map(|tenant| ix::access_pass::set_pass_tenant(program, signer, key, *tenant, false)).collect();
    let forbid = |group| ix::access_pass::set_pass_group(program, signer, key, group, false, false);
    instructions.extend(groups.into_iter().map(forbid));
    instructions.push(ix::access_pass::close_access_pass(program, signer, key));
    Ok(instructions)
}

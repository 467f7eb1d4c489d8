//! Access passes.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dz_serviceability::{
    instruction::ServiceabilityInstruction as I,
    lists, pda,
    state::{AccessPass, Roles, UserType},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    BuildError, Result,
    find::{access_pass, payer},
};
use crate::{
    instruction::{self as ix, instruction},
    view::NetworkView,
};

/// What a pass must allow.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Which service.
    pub user_type: UserType,
    /// The tenant of a unicast user.
    pub tenant: Option<Pubkey>,
    /// Roles in groups.
    pub roles: &'a [(Pubkey, Roles)],
}

impl Service<'_> {
    /// Whether the pass allows one more such user.
    pub fn allowed_by(&self, pass: &AccessPass) -> bool {
        if pass.banned_users > 0 {
            return false;
        }
        if !self.user_type.is_multicast() {
            let tenant = match self.tenant {
                Some(tenant) => pass.tenants.contains(&tenant),
                None => pass.tenants.is_empty(),
            };
            return tenant && pass.unicast_users < pass.max_unicast_users;
        }
        let role = |(group, roles): &(Pubkey, Roles)| {
            (!roles.publish || pass.publish.contains(group)) && (!roles.subscribe || pass.subscribe.contains(group))
        };
        pass.multicast_users < pass.max_multicast_users && self.roles.iter().all(role)
    }
}

/// The passes under which a payer may connect from an address: those for this very address before those for any, and of
/// these the foundation's first.
pub fn access_passes<'a>(view: &'a NetworkView, client_ip: Ipv4Addr, payer: &Pubkey) -> Vec<(Pubkey, &'a AccessPass)> {
    let config = pda::config(view.program()).0;
    let mut passes: Vec<_> = view
        .passes_of_payer(payer)
        .filter(|(_, pass)| !pass.names_address() || pass.client_ip == client_ip)
        .map(|(key, pass)| (*key, pass))
        .collect();
    passes.sort_by_key(|(_, pass)| (!pass.names_address(), pass.giver != config, pass.giver));
    passes
}

/// The first of them that allows the service, else the first: then the program says what is wrong with it.
///
/// # Errors
/// When the payer has none.
pub fn find_access_pass<'a>(
    view: &'a NetworkView,
    client_ip: Ipv4Addr,
    payer: &Pubkey,
    service: Service<'_>,
) -> Result<(Pubkey, &'a AccessPass)> {
    let passes = access_passes(view, client_ip, payer);
    let allowing = passes.iter().find(|(_, pass)| service.allowed_by(pass));
    allowing.or(passes.first()).copied().ok_or(BuildError::NoAccessPass { payer: *payer, client_ip })
}

/// Closes a pass that names nothing any more.
///
/// # Errors
/// When the view lacks the pass.
pub fn close_access_pass_account(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Instruction> {
    let program = view.program();
    let config = pda::config(program).0;
    let pass = access_pass(view, &key)?;
    let tenant = giving_tenant(&config, pass);
    let client = (tenant.is_none() && pass.names_address()).then(|| pda::client(program, pass.client_ip).0);
    let list = lists::CloseAccessPass {
        config,
        access_pass: key,
        access_pass_payer: payer(view, &key, signer),
        tenant,
        client,
        client_payer: client.map(|client| payer(view, &client, signer)),
    };
    Ok(instruction(program, signer, &I::CloseAccessPass, list.metas(program)))
}

/// Empties a pass and closes it, as who gave it. [`super::pack`] makes transactions of it.
///
/// # Errors
/// When the view lacks the pass.
pub fn close_access_pass(view: &NetworkView, signer: &Pubkey, key: Pubkey) -> Result<Vec<Instruction>> {
    let program = view.program();
    let pass = access_pass(view, &key)?;
    let tenant = giving_tenant(&pda::config(program).0, pass);
    let groups: BTreeSet<Pubkey> = pass.publish.iter().chain(&pass.subscribe).copied().collect();
    let mut instructions = Vec::new();
    if tenant.is_none() {
        let forbid = |tenant: &Pubkey| ix::access_pass::set_pass_tenant(program, signer, key, *tenant, false);
        instructions.extend(pass.tenants.iter().map(forbid));
    }
    let forbid = |group| ix::access_pass::set_pass_group(program, signer, key, group, tenant, (false, false));
    instructions.extend(groups.into_iter().map(forbid));
    instructions.push(close_access_pass_account(view, signer, key)?);
    Ok(instructions)
}

/// The tenant that gave a pass; none for the foundation's.
pub fn giving_tenant(config: &Pubkey, pass: &AccessPass) -> Option<Pubkey> {
    (pass.giver != *config).then_some(pass.giver)
}
